// What a file holds, as it was before it was made small (packing.py).

/** The answers by the keys of their questions. */
export function unpacked({ texts, documents }) {
  for (const { columns } of Object.values(documents)) {
    for (const [name, column] of Object.entries(columns ?? {})) columns[name] = valuesOf(column, texts);
  }
  return documents;
}

function valuesOf(column, texts) {
  if (Array.isArray(column)) return column;
  if (column.texts) return column.texts.map((at) => (at === null ? null : texts[at]));
  return Array(column.rows).fill(column.is);
}
