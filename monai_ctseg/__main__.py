"""`python -m monai_ctseg` is the command line."""

from monai_ctseg.cli import main

if __name__ == "__main__":
    main()
