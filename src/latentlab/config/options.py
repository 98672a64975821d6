"""The fields of a configuration as typed keyword arguments, which editors complete. Written by `make options`."""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Options(TypedDict, total=False):
    """What `latentlab.train` takes; `data` as `latentlab.data.spec_of` has it, parts of one's own as docs/own.md."""

    data: Any
    spec: str
    root: str | None
    offline: bool
    image_size: int | None
    fit: Literal["crop", "pad"]
    val_images: int
    val_share: float
    test_share: float
    train_images: int | None
    latent_dim: int
    hidden: tuple[int, ...]
    activation: Literal["relu", "leaky_relu", "elu", "tanh"]
    normalization: Literal["none", "batch"]
    initialization: Literal["default", "xavier", "dcgan"]
    stages: Literal["fit", "exact"]
    upsampling: Literal["auto", "free", "smooth"]
    reconstruction: Literal["mse", "bce"]
    likelihood: Literal["bernoulli", "gaussian"]
    binarization: Literal["none", "dynamic"]
    discriminator_channels: tuple[int, ...]
    discriminator_hidden: tuple[int, ...]
    discriminator_normalization: Literal["none", "batch", "spectral"]
    packing: int
    discriminator_deviation: bool
    epochs: float
    steps: int | None
    batch_size: int
    shards: int
    order: Literal["all", "shard"]
    seed: int
    threads: int | Literal["auto"]
    device: Literal["auto", "cpu", "cuda", "mps"]
    precision: Literal["auto", "fp32", "bf16"]
    engine: Literal["torch", "keras"]
    adam_beta1: float
    adam_beta2: float
    ema_halflife_images: int
    log_steps: int
    evaluate_epochs: float
    sample_count: int
    checkpoint_seconds: float
    learning_rate: float
    beta: float
    beta_warmup_steps: int
    loss: Any
    generator_learning_rate: float
    discriminator_learning_rate: float
    rate_halflife_images: int
    generator_updates: int
    discriminator_updates: int
    label_smoothing: float
    r1_weight: float
    r2_weight: float
    gradient_penalty: float
    r1_steps: int
    augmentation: Literal["none", "shift-mirror"]
    generator_from: str | None
    generator_frozen_images: int
    measure_samples: int
    encoder: Any
    decoder: Any
    generator: Any
    discriminator: Any
    step: Any
