"""Denoising diffusion of action chunks (Ho et al. 2020; Chi et al. 2023), DDIM sampling (Song et al. 2021)."""
