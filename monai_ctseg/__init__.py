"""monai_ctseg: finds metal in CT scans."""
