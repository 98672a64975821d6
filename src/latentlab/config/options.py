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
    blocks: int
    activation: Literal["relu", "leaky_relu", "elu", "tanh"]
    normalization: Literal["none", "batch"]
    initialization: Literal["default", "xavier", "dcgan"]
    stages: Literal["fit", "exact"]
    upsampling: Literal["auto", "free", "smooth"]
    reconstruction: Literal["mse", "bce"]
    conditional: bool
    classes: int
    discriminator_channels: tuple[int, ...]
    discriminator_hidden: tuple[int, ...]
    discriminator_blocks: int
    discriminator_normalization: Literal["none", "batch", "spectral"]
    likelihood: Literal[
        "bernoulli", "continuous-bernoulli", "gaussian", "gaussian-learned", "gaussian-optimal", "logistic", "logistic-mixture", "auto"
    ]
    deviation: float
    binarization: Literal["none", "dynamic"]
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
    gradient_clip: float
    rate_warmup_images: int
    rate_decay_images: int
    rate_final: float
    rate_halflife_images: int
    ema_halflife_images: int
    log_steps: int
    evaluate_epochs: float
    sample_count: int
    checkpoint_seconds: float
    init_from: str | None
    learning_rate: float
    patience_evaluations: int
    beta: float
    beta_warmup_steps: int
    beta_cycle_steps: int
    free_nats: float
    capacity_nats: float
    capacity_steps: int
    importance_samples: int
    feature_weight: float
    importance_gradient: Literal["reparameterised", "doubly"]
    loss: Any
    generator_learning_rate: float
    discriminator_learning_rate: float
    generator_updates: int
    discriminator_updates: int
    label_smoothing: float
    r1_weight: float
    r2_weight: float
    gradient_penalty: float
    r1_steps: int
    augmentation: Literal["none", "shift-mirror", "diffaugment"]
    augmentation_strength: Literal["fixed", "adaptive"]
    generator_from: str | None
    generator_frozen_images: int
    measure_samples: int
    encoder: Any
    decoder: Any
    generator: Any
    discriminator: Any
    step: Any
