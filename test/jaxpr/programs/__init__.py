"""Programs that the recorded tests run: kernels of this project, one family a file."""
