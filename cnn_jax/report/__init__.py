"""A run or an ablation as one page that needs nothing else."""
