"""What is installed: the wheel, its names, and the way from the distribution of before."""
