"""Solutions of the exercises: three right ones of each that differ, and wrong ones, each with the check that is meant for it.

A wrong one is a right one with some of its text replaced: [check, old, new, (old, new) …].
"""

from __future__ import annotations

HEAD = """
import copy
import math

import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional as F

latent_dim = 4
"""

ENCODER = [
    """
class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.mean, self.log_var = nn.Linear(784, 32), nn.Linear(32, 4), nn.Linear(32, 4)

    def forward(self, images):
        hidden = F.relu(self.body(images.flatten(1)))
        return self.mean(hidden), self.log_var(hidden)

encoder = Encoder
""",
    """
def encoder():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.GELU(),
        nn.MaxPool2d(2), nn.Dropout(0.1), nn.Flatten(), nn.LazyLinear(8),
    )
""",
    """
class Bounded(nn.Module):  # a log-variance between -6 and 2 on purpose, a mean that begins at 0
    def __init__(self):
        super().__init__()
        self.norm, self.mean, self.log_var = nn.LayerNorm(784), nn.Linear(784, 4), nn.Linear(784, 4)
        nn.init.zeros_(self.mean.weight)

    def forward(self, images):
        x = self.norm(images.flatten(1))
        return self.mean(x), -2 + 4 * torch.tanh(self.log_var(x))

encoder = Bounded()
""",
]
WRONG_ENCODER = [
    ("encoder-unbounded", "return self.mean(hidden)", "return F.relu(self.mean(hidden))"),
    ("encoder-unbounded", "return self.mean(hidden)", "return torch.tanh(self.mean(hidden))"),
    ("encoder-log-variance", ", self.log_var(hidden)", ", F.relu(self.log_var(hidden))"),
    ("encoder-log-variance", ", self.log_var(hidden)", ", F.softplus(self.log_var(hidden))"),
    ("encoder-heads", ", self.log_var(hidden)", ", self.mean(hidden)"),
    ("encoder-shape", "nn.Linear(32, 4), nn.Linear(32, 4)", "nn.Linear(32, 5), nn.Linear(32, 5)"),
    ("encoder-shape", "images.flatten(1)", "images.view(7, 784)"),
    ("encoder-shape", "return self.mean(hidden), self.log_var(hidden)", "return self.mean(hidden)"),
    ("encoder-learns", "self.log_var(hidden)", "self.log_var(hidden).detach()"),
    ("encoder-learns", "F.relu(self.body(images.flatten(1)))", "F.relu(self.body(images.flatten(1))).detach()"),
    ("encoder-whole", "images.flatten(1)", "F.pad(images[:, :, :10].flatten(1), (0, 504))"),
    ("encoder-rows", "images.flatten(1)", "(images - images.mean(0)).flatten(1)"),
    ("encoder-rows", "F.relu(self.body(images.flatten(1)))", "torch.softmax(self.body(images.flatten(1)), 0)"),
    ("encoder-repeats", "images.flatten(1)", "images.flatten(1) + 0.1 * torch.randn(images.shape[0], 784)"),
    ("encoder-repeats", "F.relu(self.body(images.flatten(1)))", "F.dropout(F.relu(self.body(images.flatten(1))))"),
    ("encoder-registered", "self.body, self.mean, self.log_var = nn.Linear(784, 32), nn.Linear(32, 4), nn.Linear(32, 4)",
     "self.all = [nn.Linear(784, 32), nn.Linear(32, 4)]; self.log_var = nn.Linear(32, 4)",
     ("self.body(", "self.all[0]("), ("self.mean(", "self.all[1](")),
    ("encoder-differs", "images.flatten(1)", "torch.ones(images.shape[0], 784)"),
]  # fmt: skip

SAMPLING = [
    """
def sample(mean, log_var):
    return mean + torch.exp(log_var / 2) * torch.randn_like(mean)
""",
    """
def sample(mean, log_var):
    return Normal(mean, log_var.exp().sqrt()).rsample()
""",
    """
generator = torch.Generator()

def sample(mean, log_var):
    noise = torch.randn(mean.shape, generator=generator)
    return torch.addcmul(mean, (0.5 * log_var).exp(), noise)
""",
]
WRONG_SAMPLING = [
    ("sample-shape", "* torch.randn_like(mean)", "* torch.randn_like(mean), mean"),
    ("sample-noise", "torch.randn_like(mean)", "torch.randn(len(mean) // 2 + 1, mean.shape[1]).repeat(2, 1)[: len(mean)]"),
    ("sample-deviation", "torch.exp(log_var / 2)", "torch.exp(log_var)"),
    ("sample-deviation", "torch.exp(log_var / 2)", "log_var"),
    ("sample-deviation", "* torch.randn_like(mean)", "* 0.01 * torch.randn_like(mean)"),
    ("sample-noise", "torch.randn_like(mean)", "torch.rand_like(mean)"),
    ("sample-noise", "torch.randn_like(mean)", "(torch.rand_like(mean) - 0.5) * 12 ** 0.5"),
    ("sample-noise", "torch.randn_like(mean)", "torch.randn(mean.shape[1])"),
    ("sample-noise", "torch.randn_like(mean)", "torch.randn(len(mean), 1)"),
    ("sample-anew", "torch.randn_like(mean)", "torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))"),
    ("sample-derivative", "mean + torch.exp(log_var / 2)", "mean + torch.exp(log_var / 2).detach()"),
    ("sample-derivative", "return mean + torch.exp(log_var / 2) * torch.randn_like(mean)", "return torch.normal(mean, torch.exp(log_var / 2)).detach()"),
    ("sample-noise", "return mean + torch.exp(log_var / 2) * torch.randn_like(mean)", "return mean"),
    ("sample-narrow", "torch.exp(log_var / 2)", "(torch.exp(log_var / 2) + 1e-3)"),
    ("sample-shape", "torch.randn_like(mean)", "torch.randn(7, 5)"),
]  # fmt: skip

DECODER = [
    """
class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 32), nn.Linear(32, 784)

    def forward(self, z):
        hidden = F.relu(self.first(z))
        return self.second(hidden).view(-1, 1, 28, 28)

decoder = Decoder
""",
    """
decoder = nn.Sequential(
    nn.Linear(4, 8 * 49), nn.Unflatten(1, (8, 7, 7)), nn.BatchNorm2d(8), nn.ReLU(),
    nn.ConvTranspose2d(8, 8, 4, 2, 1), nn.LeakyReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1),
)
""",
    """
def decoder():
    last = nn.Conv2d(8, 1, 3, padding=1)
    nn.init.zeros_(last.weight)
    return nn.Sequential(
        nn.Linear(4, 8 * 49), nn.Tanh(), nn.Unflatten(1, (8, 7, 7)), nn.Upsample(scale_factor=4), nn.Conv2d(8, 8, 3, padding=1), nn.ELU(), last,
    )
""",
]
WRONG_DECODER = [
    ("decoder-unbounded", "self.second(hidden)", "torch.sigmoid(self.second(hidden))"),
    ("decoder-unbounded", "self.second(hidden)", "F.relu(self.second(hidden))"),
    ("decoder-unbounded", "self.second(hidden)", "torch.tanh(self.second(hidden))"),
    ("decoder-shape", ".view(-1, 1, 28, 28)", ""),
    ("decoder-shape", ".view(-1, 1, 28, 28)", ".view(2, 1, 28, 28)"),
    ("decoder-shape", ".view(-1, 1, 28, 28)", ".view(-1, 28, 28, 1)"),
    ("decoder-whole", "self.first(z)", "self.first(F.pad(z[:, :2], (0, 2)))"),
    ("decoder-learns", "hidden = F.relu(self.first(z))", "hidden = F.relu(self.first(z).detach())"),
    ("decoder-learns", "self.first, self.second = nn.Linear(4, 32), nn.Linear(32, 784)",
     "self.first, self.second, self.unused = nn.Linear(4, 32), nn.Linear(32, 784), nn.Linear(4, 4)"),
    ("decoder-repeats", "F.relu(self.first(z))", "F.relu(self.first(z + 0.1 * torch.randn_like(z)))"),
    ("decoder-rows", "self.first(z)", "self.first(z / z.norm())"),
    ("decoder-registered", "self.first, self.second = nn.Linear(4, 32), nn.Linear(32, 784)",
     "self.layers = [nn.Linear(4, 32), nn.Linear(32, 784)]", ("self.first(", "self.layers[0]("), ("self.second(", "self.layers[1](")),
    ("decoder-pixels", "self.second(hidden)", "F.pad(self.second(hidden)[:, :700], (0, 84))"),
    ("decoder-differs", "self.first(z)", "self.first(0 * z)"),
]  # fmt: skip

LOSS = [
    """
def loss(images, logits, mean, log_var):
    cross = F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)
    kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
    return cross + kl
""",
    """
def loss(images, logits, mean, log_var):
    cross = F.softplus(logits) - images * logits
    q, p = Normal(mean, (log_var / 2).exp()), Normal(torch.zeros_like(mean), torch.ones_like(mean))
    return cross.sum((1, 2, 3)) + kl_divergence(q, p).sum(-1)
""",
    """
def loss(images, logits, mean, log_var):
    cross = -(images * F.logsigmoid(logits) + (1 - images) * F.logsigmoid(-logits))
    kl = -0.5 * torch.sum(1 + log_var - mean.pow(2) - log_var.exp(), dim=1)
    return cross.reshape(len(images), -1).sum(1) + kl
""",
]
WRONG_LOSS = [
    ("loss-rest", "log_var.exp() - 1 - log_var", "log_var.exp() - log_var"),
    ("loss-whole", ".flatten(1).sum(1)\n    kl", ".sum((2, 3))[:, 0]\n    kl"),
    ("loss-whole", ".flatten(1).sum(1)\n    kl", ".mean((1, 2, 3)) * images.shape[2] ** 2\n    kl"),
    ("loss-shape", "return cross + kl", "return (cross + kl).squeeze()"),
    ("loss-variance", "log_var.exp() - 1 - log_var", "log_var.clamp(-3, 3).exp() - 1 - log_var.clamp(-3, 3)"),
    ("loss-pixels", ".flatten(1).sum(1)\n    kl", ".flatten(1).mean(1)\n    kl"),
    ("loss-mean", "- 1 - log_var).sum(1)", "- 1 - log_var).mean(1)"),
    ("loss-mean", "return cross + kl", "return cross - kl"),
    ("loss-mean", "0.5 * (mean**2", "(mean**2"),
    ("loss-mean", "return cross + kl", "return cross + 4 * kl"),
    ("loss-variance", "log_var.exp()", "(2 * log_var).exp()"),
    ("loss-variance", "mean**2 + log_var.exp() - 1 - log_var", "mean**2 + log_var**2 - 1 - torch.log(log_var**2 + 1e-12)"),
    ("loss-certain", "(logits, images,", "(torch.sigmoid(logits), images,"),
    ("loss-targets", "F.binary_cross_entropy_with_logits(logits, images,", "F.binary_cross_entropy_with_logits(-logits, images,"),
    ("loss-whole", 'F.binary_cross_entropy_with_logits(logits, images, reduction="none")', "((torch.sigmoid(logits) - images) ** 2)"),
    ("loss-shape", "return cross + kl", "return (cross + kl).mean()"),
    ("loss-shape", "return cross + kl", "return (cross + kl).sum().reshape(1)"),
    ("loss-alone", "return cross + kl", "return (cross + kl).mean().expand(len(images))"),
    ("loss-finite", 'F.binary_cross_entropy_with_logits(logits, images, reduction="none")',
     "-(images * torch.log(torch.sigmoid(logits)) + (1 - images) * torch.log(1 - torch.sigmoid(logits)))"),
    ("loss-gradients", "return cross + kl", "return cross + kl.detach()"),
]  # fmt: skip

STEP = [
    """
def vae_step(encoder, decoder, optimizer, images):
    mean, log_var = encoder(images)
    z = mean + (log_var / 2).exp() * torch.randn_like(mean)
    logits = decoder(z)
    cross = F.binary_cross_entropy_with_logits(logits, images, reduction="none").flatten(1).sum(1)
    kl = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)
    total = (cross + kl).mean()
    optimizer.zero_grad()
    total.backward()
    optimizer.step()
    return total
""",
    """
def vae_step(encoder, decoder, optimizer, images):
    mean, log_var = encoder(images)
    q = Normal(mean, (log_var / 2).exp())
    p = torch.distributions.Bernoulli(logits=decoder(q.rsample()), validate_args=False)
    total = (-p.log_prob(images).sum() + kl_divergence(q, Normal(0.0, 1.0)).sum()) / len(images)
    total.backward()
    optimizer.step()
    optimizer.zero_grad()
    return total.item()
""",
    """
def sample(mean, log_var):
    return mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape)

def loss(images, logits, mean, log_var):
    return F.softplus(logits).sum((1, 2, 3)) - (images * logits).sum((1, 2, 3)) - 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)

def vae_step(encoder, decoder, optimizer, images):
    for group in optimizer.param_groups:
        for weight in group["params"]:
            weight.grad = None
    mean, log_var = encoder(images)
    nats = loss(images, decoder(sample(mean, log_var)), mean, log_var).mean()
    nats.backward()
    optimizer.step()
    return nats.item()
""",
]
WRONG_STEP = [
    ("step-mode", "    mean, log_var = encoder(images)", "    encoder.eval()\n    mean, log_var = encoder(images)"),
    ("step-mode", "    logits = decoder(z)", "    decoder.eval()\n    logits = decoder(z)\n    decoder.train()"),
    ("step-second", "    optimizer.zero_grad()\n", ""),
    ("step-once", "    optimizer.step()\n", ""),
    ("step-once", "    optimizer.step()\n", "    optimizer.step()\n    optimizer.step()\n"),
    ("step-once", "    optimizer.zero_grad()\n    total.backward()\n", "    total.backward()\n    optimizer.zero_grad()\n"),
    ("step-noise", "torch.randn_like(mean)", "torch.rand_like(mean)"),
    ("step-noise", "mean + (log_var / 2).exp() * torch.randn_like(mean)", "mean"),
    ("step-noise", "(log_var / 2).exp()", "log_var.exp()"),
    ("step-noise", "torch.randn_like(mean)", "torch.randn(mean.shape[1])"),
    ("step-anew", "torch.randn_like(mean)", "torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))"),
    ("step-encoder", "logits = decoder(z)", "logits = decoder(z.detach())"),
    ("step-loss", "total = (cross + kl).mean()", "total = (cross + kl).sum()"),
    ("step-loss", "total = (cross + kl).mean()", "total = (cross - kl).mean()"),
    ("step-loss", ".flatten(1).sum(1)\n    kl", ".flatten(1).mean(1)\n    kl"),
    ("step-loss", "(logits, images,", "(torch.sigmoid(logits), images,"),
    ("step-first", "    total.backward()", "    (2 * total).backward()"),
    ("step-once", "    mean, log_var = encoder(images)", "    encoder.requires_grad_(False)\n    mean, log_var = encoder(images)"),
]  # fmt: skip

NETWORKS = [
    """
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 32), nn.Linear(32, 784)

    def forward(self, z):
        return self.second(F.elu(self.first(z))).view(-1, 1, 28, 28)

class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(784, 32), nn.Linear(32, 1)

    def forward(self, images):
        return self.head(F.leaky_relu(self.body(images.flatten(1)), 0.2))

generator, discriminator = Generator, Discriminator
""",
    """
def generator():
    return nn.Sequential(
        nn.Linear(4, 8 * 49), nn.BatchNorm1d(8 * 49), nn.ReLU(), nn.Unflatten(1, (8, 7, 7)),
        nn.ConvTranspose2d(8, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1),
    )

def discriminator():
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Conv2d(8, 8, 3, 2, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.LazyLinear(1),
    )
""",
    """
from torch.nn.utils.parametrizations import spectral_norm

class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), spectral_norm(nn.Linear(784, 16)), nn.SiLU(), spectral_norm(nn.Linear(16, 1)))

    def forward(self, images):
        return 3 * self.layers(2 * images - 1).squeeze(1)

generator = nn.Sequential(nn.Linear(4, 16 * 7 * 7), nn.Unflatten(1, (1, 28, 28)))
discriminator = Judge
""",
]
WRONG_NETWORKS = [
    ("generator-unbounded", "return self.second(F.elu(self.first(z)))", "return torch.sigmoid(self.second(F.elu(self.first(z))))"),
    ("generator-unbounded", "return self.second(F.elu(self.first(z)))", "return torch.tanh(self.second(F.elu(self.first(z))))"),
    ("generator-shape", ".view(-1, 1, 28, 28)", ""),
    ("generator-learns", "F.elu(self.first(z))", "F.elu(self.first(z)).detach()"),
    ("generator-whole", "self.first(z)", "self.first(z * torch.tensor([1.0, 1.0, 1.0, 0.0]))"),
    ("discriminator-unbounded", "return self.head(F.leaky_relu(self.body(images.flatten(1)), 0.2))",
     "return torch.sigmoid(self.head(F.leaky_relu(self.body(images.flatten(1)), 0.2)))"),
    ("discriminator-shape", "nn.Linear(32, 1)", "nn.Linear(32, 2)"),
    ("discriminator-shape", "images.flatten(1)), 0.2))", "images.flatten(1)), 0.2)).mean()"),
    ("discriminator-rows", "images.flatten(1)", "(images - images.mean(0)).flatten(1)"),
    ("discriminator-whole", "images.flatten(1)", "F.pad(images[:, :, :12].flatten(1), (0, 448))"),
    ("discriminator-learns", "images.flatten(1)), 0.2)", "images.flatten(1)).detach(), 0.2)"),
    ("discriminator-registered", "self.body, self.head = nn.Linear(784, 32), nn.Linear(32, 1)",
     "self.parts = [nn.Linear(784, 32)]; self.head = nn.Linear(32, 1)", ("self.body(", "self.parts[0](")),
    ("discriminator-repeats", "images.flatten(1)", "(images + 0.1 * torch.randn_like(images)).flatten(1)"),
]  # fmt: skip

GAN_STEP = [
    """
def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    fake = torch.sigmoid(generator(noise()))
    real_logit = discriminator(images)
    fake_logit = discriminator(fake.detach())
    d_loss = F.binary_cross_entropy_with_logits(real_logit, torch.full_like(real_logit, 0.9))
    d_loss = d_loss + F.binary_cross_entropy_with_logits(fake_logit, torch.zeros_like(fake_logit))
    discriminator_optimizer.zero_grad()
    d_loss.backward()
    discriminator_optimizer.step()
    fake = torch.sigmoid(generator(noise()))
    fake_logit = discriminator(fake)
    g_loss = F.binary_cross_entropy_with_logits(fake_logit, torch.ones_like(fake_logit))
    generator_optimizer.zero_grad()
    g_loss.backward()
    generator_optimizer.step()
    return d_loss, g_loss
""",
    """
bce = nn.BCEWithLogitsLoss()

def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    with torch.no_grad():
        fake = generator(noise(len(images))).sigmoid()
    real, false = discriminator(images), discriminator(fake)
    d_loss = (bce(real, 0.9 * torch.ones_like(real)) + bce(false, torch.zeros_like(false))) / 2
    d_loss.backward()
    discriminator_optimizer.step()
    g_loss = F.softplus(-discriminator(generator(noise(len(images))).sigmoid())).mean()
    generator_optimizer.zero_grad()
    g_loss.backward()
    generator_optimizer.step()
    discriminator_optimizer.zero_grad()
    return d_loss.item(), g_loss.item()
""",
    """
def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    discriminator_optimizer.zero_grad()
    generator_optimizer.zero_grad()
    z = noise()
    fake = torch.sigmoid(generator(z))
    p, q = torch.sigmoid(discriminator(images)), torch.sigmoid(discriminator(fake.detach()))
    d_loss = -(0.9 * p.log() + 0.1 * (1 - p).log()).mean() - (1 - q).log().mean()
    d_loss.backward()
    discriminator_optimizer.step()
    for weight in discriminator.parameters():
        weight.requires_grad_(False)
    g_loss = -F.logsigmoid(discriminator(fake)).mean()
    g_loss.backward()
    for weight in discriminator.parameters():
        weight.requires_grad_(True)
    generator_optimizer.step()
    return d_loss, g_loss
""",
]
WRONG_GAN_STEP = [
    ("gan-losses", "return d_loss, g_loss", "return g_loss, d_loss"),
    ("gan-losses", "return d_loss, g_loss", "return 0, 0"),
    ("gan-mode", "    fake = torch.sigmoid(generator(noise()))\n    real_logit", "    generator.eval()\n    fake = torch.sigmoid(generator(noise()))\n    generator.train()\n    real_logit"),
    ("gan-real", "torch.full_like(real_logit, 0.9)", "torch.ones_like(real_logit)"),
    ("gan-real", "torch.full_like(real_logit, 0.9)", "torch.zeros_like(real_logit)", ("torch.zeros_like(fake_logit)", "torch.ones_like(fake_logit)")),
    ("gan-fake", "torch.zeros_like(fake_logit)", "torch.full_like(fake_logit, 0.1)"),
    ("gan-fooled", "torch.ones_like(fake_logit)", "torch.full_like(fake_logit, 0.9)"),
    ("gan-fooled", "    g_loss = F.binary_cross_entropy_with_logits(fake_logit, torch.ones_like(fake_logit))",
     "    g_loss = F.binary_cross_entropy_with_logits(fake_logit, torch.zeros_like(fake_logit))"),
    ("gan-start", "    g_loss = F.binary_cross_entropy_with_logits(fake_logit, torch.ones_like(fake_logit))",
     "    g_loss = -F.binary_cross_entropy_with_logits(fake_logit, torch.zeros_like(fake_logit))"),
    ("gan-fooled", "fake.detach()", "fake", ("    generator_optimizer.zero_grad()\n", ""),
     ("    generator_optimizer.step()\n", "    generator_optimizer.step()\n    generator_optimizer.zero_grad()\n")),
    ("gan-second", "    discriminator_optimizer.zero_grad()\n", ""),
    ("gan-second", "    generator_optimizer.zero_grad()\n", ""),
    ("gan-own", "    generator_optimizer.step()\n", "    for w in discriminator.parameters():\n        w.data -= 0.1 * w.grad\n    generator_optimizer.step()\n"),
    ("gan-order", "    generator_optimizer.step()\n", "    generator_optimizer.step()\n    discriminator_optimizer.step()\n"),
    ("gan-order", "    discriminator_optimizer.step()\n", ""),
    ("gan-apart", "    real_logit = discriminator(images)\n    fake_logit = discriminator(fake.detach())\n",
     "    both = discriminator(torch.cat([images, fake.detach()]))\n    real_logit, fake_logit = both[: len(images)], both[len(images) :]\n"),
    ("gan-mode", "    return d_loss, g_loss", "    generator.eval()\n    return d_loss, g_loss"),
    ("gan-noise", "generator(noise())", "generator(torch.randn(6, 2))"),
    ("gan-returns", "    return d_loss, g_loss", "    return None"),
    ("gan-fake", "fake_logit = discriminator(fake.detach())", "fake_logit = discriminator(generator(noise()).detach())"),
]  # fmt: skip

FROM_DECODER = [
    """
def generator_from(decoder):
    generator = copy.deepcopy(decoder).train()
    for weight in generator.parameters():
        weight.requires_grad_(True)
    return generator

def new_images(generator, count, latent_dim):
    was = generator.training
    generator.eval()
    with torch.no_grad():
        z = torch.randn(count, latent_dim)
        images = torch.sigmoid(generator(z))
    generator.train(was)
    return images
""",
    """
class Wrapped(nn.Module):
    def __init__(self, decoder):
        super().__init__()
        self.net = copy.deepcopy(decoder).requires_grad_(True)

    def forward(self, z):
        return self.net(z)

def generator_from(decoder):
    return Wrapped(decoder).train()

@torch.no_grad()
def new_images(generator, count, latent_dim):
    was, _ = generator.training, generator.eval()
    try:
        return torch.cat([torch.sigmoid(generator(Normal(0.0, 1.0).sample((1, latent_dim)))) for _ in range(count)])
    finally:
        generator.train(was)
""",
    """
def generator_from(decoder):
    import io
    kept = io.BytesIO()
    torch.save(decoder, kept)
    kept.seek(0)
    made = torch.load(kept, weights_only=False)
    made.train()
    return made.requires_grad_()

def new_images(generator, count, latent_dim):
    shown = copy.deepcopy(generator).eval()
    return torch.special.expit(shown(torch.randn(count, latent_dim))).detach()
""",
]
WRONG_FROM_DECODER = [
    ("images-anew", "        z = torch.randn", "        torch.manual_seed(0)\n        z = torch.randn"),
    ("images-kept", "    generator.train(was)\n", "    generator.train()\n"),
    ("images-left", "    was = generator.training\n", "    was = generator.requires_grad_(False).training\n"),
    ("from-apart", "copy.deepcopy(decoder).train()", "decoder.train()"),
    ("from-equal", "    return generator\n\n", "    for layer in generator.modules():\n        if hasattr(layer, 'reset_parameters'):\n            layer.reset_parameters()\n    return generator\n\n"),
    ("from-learns", "weight.requires_grad_(True)", "weight.requires_grad_(False)"),
    ("from-mode", "copy.deepcopy(decoder).train()", "copy.deepcopy(decoder).eval()"),
    ("images-shape", "torch.sigmoid(generator(z))", "generator(z)"),
    ("images-shape", "torch.randn(count, latent_dim)", "torch.randn(64, latent_dim)"),
    ("images-noise", "torch.randn(count, latent_dim)", "torch.rand(count, latent_dim)"),
    ("images-noise", "torch.randn(count, latent_dim)", "torch.randn(1, latent_dim).expand(count, latent_dim)"),
    ("images-alone", "    generator.eval()\n", ""),
    ("images-alone", "torch.sigmoid(generator(z))", "torch.sigmoid(torch.sigmoid(generator(z)))"),
    ("images-alone", "torch.sigmoid(generator(z))", "(torch.tanh(generator(z)) + 1) / 2"),
    ("images-left", "    generator.train(was)\n", ""),
    ("images-left", "    with torch.no_grad():\n", "    if True:\n"),
]  # fmt: skip

NUMBERS = {
    "kl": "0.5 * (1.2**2 + 0.5**2 - 1) - math.log(0.5)",
    "kl_two": "0.5 * (1 + 4 - 1 - math.log(4)) + 0.5 * (1 + 0.25 - 1 - math.log(0.25))",
    "reversed_kl": "math.log(0.5) + (1 + 1.2**2) / (2 * 0.25) - 0.5",
    "log_evidence": "-0.5 * math.log(2 * math.pi * 4.25) - 1 / (2 * 4.25)",
    "posterior_mean": "2 / 4.25",
    "posterior_deviation": "(0.25 / 4.25) ** 0.5",
    "elbo": "-0.5 * math.log(2 * math.pi * 0.25) - ((1 - 0.6) ** 2 + 4 * 0.16) / 0.5 - 0.5 * (0.09 + 0.16 - 1 - math.log(0.16))",
    "gap": "math.log((0.25 / 4.25) ** 0.5 / 0.4) + (0.16 + (0.3 - 2 / 4.25) ** 2) / (2 * 0.25 / 4.25) - 0.5",
    "best_discriminator": "1 / (1 + math.exp(1.5 * 0.5 - 1.125))",
    "smoothed_discriminator": "0.9 / (1 + math.exp(1.5 * 0.5 - 1.125))",
    "value_of_the_game": "-math.log(2)",
    "divergence_of_the_game": "math.log(2) / 2",
}

MENDED = {
    "kl": ("0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1)", "0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(1)"),
    "reconstruction": ('images, reduction="none").flatten(1).mean(1)', 'images, reduction="none").flatten(1).sum(1)'),
    "step": ("discriminator(images), discriminator(fake)\n", "discriminator(images), discriminator(fake.detach())\n"),
    "noise": ("torch.randn(mean.shape[1])", "torch.randn(mean.shape)"),
    "deviation": ("mean + log_var.exp() * torch", "mean + (log_var / 2).exp() * torch"),
    "sigmoid": ("probabilities = torch.sigmoid(logits)", "probabilities = logits"),
    "mode": (
        "        return torch.sigmoid(generator(torch.randn(count, latent_dim)))",
        "        images = torch.sigmoid(generator(torch.randn(count, latent_dim)))\n    generator.train()\n    return images",
    ),
    "labels": (
        "(real, torch.zeros_like(real))\n        + F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))",
        "(real, torch.ones_like(real))\n        + F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))",
    ),
    "evaluation": ("    z = mean\n", "    z = mean + (log_var / 2).exp() * torch.randn_like(mean)\n"),
    "statistics": (
        "    logits = discriminator(torch.cat([images, fake.detach()]))\n    real_logit, fake_logit = logits[: len(images)], logits[len(images) :]\n",
        "    real_logit, fake_logit = discriminator(images), discriminator(fake.detach())\n",
    ),
}

RIGHT = {
    "encoder": ENCODER, "sampling": SAMPLING, "decoder": DECODER, "vae-loss": LOSS, "vae-step": STEP,
    "generator-discriminator": NETWORKS, "gan-step": GAN_STEP, "decoder-as-generator": FROM_DECODER,
}  # fmt: skip
WRONG = {
    "encoder": WRONG_ENCODER, "sampling": WRONG_SAMPLING, "decoder": WRONG_DECODER, "vae-loss": WRONG_LOSS, "vae-step": WRONG_STEP,
    "generator-discriminator": WRONG_NETWORKS, "gan-step": WRONG_GAN_STEP, "decoder-as-generator": WRONG_FROM_DECODER,
}  # fmt: skip


def wrong_text(exercise: str, old: str, new: str, *more: tuple[str, str]) -> str:
    """The first right solution of an exercise with some of its text replaced, each of it there."""
    text = RIGHT[exercise][0]
    for before, after in ((old, new), *more):
        assert before in text, before
        text = text.replace(before, after)
    return HEAD + text


BROKEN = [  # two more ways to mend all ten, each from nothing
    """
def kl(mean, log_var):
    return kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).sum(1)

def reconstruction(images, logits):
    return (F.softplus(logits) - images * logits).sum((1, 2, 3))

loss_of_logits = reconstruction

def draw(mean, log_var):
    return Normal(mean, (log_var / 2).exp()).rsample()

reparameterise = draw

@torch.no_grad()
def draw_images(generator, count, latent_dim):
    return torch.sigmoid(copy.deepcopy(generator).eval()(torch.randn(count, latent_dim)))

def discriminator_loss(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()

def estimate_elbo(images, mean, log_var):
    z = draw(mean, log_var)
    prior, likelihood = Normal(torch.zeros_like(z), 1.0).log_prob(z), Normal(z, 1.0).log_prob(images)
    return (likelihood + prior - Normal(mean, (log_var / 2).exp()).log_prob(z)).sum(1)
"""
    + GAN_STEP[1].replace("def step", "def train_step")
    + GAN_STEP[0].replace("def step", "def apart_step"),
    """
def kl(mean, log_var):
    return -0.5 * (1 + log_var - mean.square() - torch.exp(log_var)).sum(dim=-1)

def reconstruction(images, logits):
    return F.binary_cross_entropy(torch.sigmoid(logits), images, reduction="none").reshape(len(images), -1).sum(1)

def loss_of_logits(images, logits):
    return -(images * F.logsigmoid(logits) + (1 - images) * F.logsigmoid(-logits)).flatten(1).sum(1)

def draw(mean, log_var):
    return torch.addcmul(mean, torch.sqrt(log_var.exp()), torch.randn(mean.shape))

def reparameterise(mean, log_var):
    return mean + log_var.exp() ** 0.5 * torch.randn_like(log_var)

def draw_images(generator, count, latent_dim):
    was, _ = generator.training, generator.eval()
    try:
        return generator(torch.randn(count, latent_dim)).sigmoid().detach()
    finally:
        generator.train(was)

def discriminator_loss(real, fake):
    logits, targets = torch.cat([real, fake]), torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    return 2 * F.binary_cross_entropy_with_logits(logits, targets)

def estimate_elbo(images, mean, log_var):
    z = reparameterise(mean, log_var)
    return Normal(z, 1.0).log_prob(images).sum(1) - kl(mean, log_var)
"""
    + GAN_STEP[2].replace("def step", "def train_step")
    + GAN_STEP[1].replace("def step", "def apart_step"),
]
