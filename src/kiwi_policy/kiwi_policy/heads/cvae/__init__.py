"""The objective of ACT (Zhao et al. 2023): a conditional variational autoencoder of action chunks."""
