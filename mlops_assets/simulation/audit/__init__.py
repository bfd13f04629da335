"""The auditor of a simulated life: what must be stored after each day, and what must hold of decisions."""
