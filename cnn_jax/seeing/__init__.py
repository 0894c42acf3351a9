"""Looking into a trained network: its filters, maps, reconstructions, and where it goes wrong."""
