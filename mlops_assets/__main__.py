"""`python -m mlops_assets`."""

from mlops_assets.commands.main import main

if __name__ == "__main__":
    main()
