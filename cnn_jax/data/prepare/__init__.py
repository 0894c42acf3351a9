"""What runs once before any run: sets are verified, built, looked at and stored."""
