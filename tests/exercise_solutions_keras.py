"""Solutions of the exercises in Keras: three right ones of each that differ, and wrong ones, each with the check that is meant for it.

A wrong one is the first right one with some of its text replaced: [check, old, new, (old, new) …].
"""

from __future__ import annotations

HEAD = """
import math

import keras
import tensorflow as tf
from keras import layers, ops

latent_dim = 4
"""

ENCODER = [
    """
class Encoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.body = layers.Flatten(), layers.Dense(32, activation="relu")
        self.mean, self.log_var = layers.Dense(4), layers.Dense(4)

    def call(self, images):
        hidden = self.body(self.flat(images))
        return self.mean(hidden), self.log_var(hidden)

encoder = Encoder
""",
    """
def encoder():
    return keras.Sequential([
        layers.Conv2D(8, 3, strides=2), layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(16, 3, strides=2, padding="same"),
        layers.Activation("gelu"), layers.MaxPooling2D(), layers.Dropout(0.1), layers.Flatten(), layers.Dense(8),
    ])
""",
    """
x = keras.Input((28, 28, 1))  # a log-variance between -6 and 2 on purpose, a mean that begins at 0
hidden = layers.LayerNormalization()(layers.Reshape((784,))(x))
mean = layers.Dense(4, kernel_initializer="zeros")(hidden)
log_var = -2 + 4 * ops.tanh(layers.Dense(4)(hidden))
encoder = keras.Model(x, [mean, log_var])
""",
]
WRONG_ENCODER = [
    ("encoder-unbounded", "layers.Dense(4), layers.Dense(4)", 'layers.Dense(4, activation="relu"), layers.Dense(4)'),
    ("encoder-unbounded", "return self.mean(hidden)", "return ops.tanh(self.mean(hidden))"),
    ("encoder-log-variance", "layers.Dense(4), layers.Dense(4)", 'layers.Dense(4), layers.Dense(4, activation="relu")'),
    ("encoder-log-variance", ", self.log_var(hidden)", ", ops.softplus(self.log_var(hidden))"),
    ("encoder-heads", ", self.log_var(hidden)", ", self.mean(hidden)"),
    ("encoder-shape", "layers.Dense(4), layers.Dense(4)", "layers.Dense(5), layers.Dense(5)"),
    ("encoder-shape", "self.flat(images)", "ops.reshape(images, (7, 784))"),
    ("encoder-shape", "return self.mean(hidden), self.log_var(hidden)", "return self.mean(hidden)"),
    ("encoder-shape", "self.body(self.flat(images))", "self.body(images)"),
    ("encoder-learns", "self.log_var(hidden)", "ops.stop_gradient(self.log_var(hidden))"),
    ("encoder-learns", "hidden = self.body(self.flat(images))", "hidden = ops.stop_gradient(self.body(self.flat(images)))"),
    ("encoder-whole", "self.flat(images)", "self.flat(images[:, :10])"),
    ("encoder-rows", "self.flat(images)", "self.flat(images - ops.mean(images, axis=0))"),
    ("encoder-rows", "hidden = self.body(self.flat(images))", "hidden = ops.softmax(self.body(self.flat(images)), axis=0)"),
    ("encoder-repeats", "self.flat(images)", "self.flat(images) + 0.1 * keras.random.normal((len(images), 784))"),
    ("encoder-repeats", "hidden = self.body(self.flat(images))", "hidden = keras.random.dropout(self.body(self.flat(images)), 0.5)"),
    ("encoder-registered", "self.mean, self.log_var = layers.Dense(4), layers.Dense(4)",
     "self.mean = layers.Dense(4)\n        self.matrix = tf.Variable(tf.random.normal((32, 4)))", ("self.log_var(hidden)", "hidden @ self.matrix")),
    ("encoder-differs", "self.flat(images)", "ops.ones((len(images), 784))"),
]  # fmt: skip

SAMPLING = [
    """
def sample(mean, log_var):
    return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))
""",
    """
def sample(mean, log_var):
    return tf.random.normal(tf.shape(mean)) * tf.sqrt(tf.exp(log_var)) + mean
""",
    """
class Sampling(layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean), seed=self.seeds)

sampling = Sampling()

def sample(mean, log_var):
    return sampling([mean, log_var])
""",
]
WRONG_SAMPLING = [
    ("sample-shape", "* keras.random.normal(ops.shape(mean))", "* keras.random.normal(ops.shape(mean)), mean"),
    ("sample-shape", "ops.shape(mean)", "(7, 5)"),
    ("sample-deviation", "ops.exp(log_var / 2)", "ops.exp(log_var)"),
    ("sample-deviation", "ops.exp(log_var / 2)", "log_var"),
    ("sample-noise", "keras.random.normal", "keras.random.uniform"),
    ("sample-noise", "ops.shape(mean)", "(mean.shape[1],)"),
    ("sample-noise", "ops.shape(mean)", "(len(mean), 1)"),
    ("sample-noise", "return mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))", "return mean"),
    ("sample-anew", "ops.shape(mean)", "ops.shape(mean), seed=0"),
    ("sample-derivative", "ops.exp(log_var / 2)", "ops.stop_gradient(ops.exp(log_var / 2))"),
    ("sample-derivative", "mean + ops.exp(log_var / 2)", "mean + ops.exp(log_var.numpy() / 2)"),
    ("sample-narrow", "ops.exp(log_var / 2)", "(ops.exp(log_var / 2) + 1e-3)"),
]

DECODER = [
    """
class Decoder(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.image = layers.Dense(32, activation="relu"), layers.Dense(784), layers.Reshape((28, 28, 1))

    def call(self, z):
        hidden = self.first(z)
        return self.image(self.second(hidden))

decoder = Decoder
""",
    """
decoder = keras.Sequential([
    keras.Input((4,)), layers.Dense(8 * 49), layers.Reshape((7, 7, 8)), layers.BatchNormalization(), layers.ReLU(),
    layers.Conv2DTranspose(8, 4, strides=2, padding="same"), layers.LeakyReLU(), layers.Conv2DTranspose(1, 4, strides=2, padding="same"),
])
""",
    """
def decoder():
    z = keras.Input((4,))
    x = layers.Reshape((7, 7, 8))(layers.Dense(8 * 49, activation="tanh")(z))
    x = layers.Conv2D(8, 3, padding="same", activation="elu")(layers.UpSampling2D(4)(x))
    return keras.Model(z, layers.Conv2D(1, 3, padding="same", kernel_initializer="zeros")(x))
""",
]
WRONG_DECODER = [
    ("decoder-unbounded", "layers.Dense(784)", 'layers.Dense(784, activation="sigmoid")'),
    ("decoder-unbounded", "layers.Dense(784)", 'layers.Dense(784, activation="relu")'),
    ("decoder-shape", "layers.Reshape((28, 28, 1))", "layers.Reshape((1, 28, 28))"),
    ("decoder-shape", "self.image(self.second(hidden))", "self.second(hidden)"),
    ("decoder-learns", "hidden = self.first(z)", "hidden = ops.stop_gradient(self.first(z))"),
    ("decoder-rows", "hidden = self.first(z)", "hidden = self.first(z - ops.mean(z, axis=0))"),
    ("decoder-repeats", "hidden = self.first(z)", "hidden = self.first(z + keras.random.normal(ops.shape(z)))"),
    ("decoder-differs", "hidden = self.first(z)", "hidden = self.first(ops.zeros_like(z))"),
    ("decoder-whole", "hidden = self.first(z)", "hidden = self.first(z[:, :2])"),
    ("decoder-pixels", "self.second(hidden)", "self.second(hidden) * ops.convert_to_tensor([1.0] * 700 + [0.0] * 84)"),
    ("decoder-registered", "self.second(hidden)", "self.second(hidden) + self.more",
     ("super().__init__()", "super().__init__()\n        self.more = tf.Variable(tf.random.normal((784,)))")),
]  # fmt: skip

LOSS = [
    """
def loss(images, logits, mean, log_var):
    cross = ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))
    kl = 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=1)
    return cross + kl
""",
    """
def loss(images, logits, mean, log_var):
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits)
    return tf.reduce_sum(each, [1, 2, 3]) - 0.5 * tf.reduce_sum(1 + log_var - tf.square(mean) - tf.exp(log_var), -1)
""",
    """
@tf.function
def loss(images, logits, mean, log_var):
    x, t = layers.Flatten()(images), layers.Flatten()(logits)
    return ops.sum(ops.softplus(t) - t * x, 1) + ops.sum((ops.exp(log_var) + mean * mean - log_var - 1) / 2, 1)
""",
]
WRONG_LOSS = [
    ("loss-shape", "return cross + kl", "return ops.mean(cross + kl)"),
    ("loss-pixels", "cross = ops.sum", "cross = ops.mean"),
    ("loss-pixels", "cross = ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))",
     "cross = ops.sum(keras.losses.binary_crossentropy(images, logits, from_logits=True), axis=1)[:, 0]"),
    ("loss-rest", "- 1 - log_var", "- log_var"),
    ("loss-targets", "(images, logits, from_logits=True)", "(logits, images, from_logits=True)"),
    ("loss-targets", "(images, logits, from_logits=True)", "(1 - images, logits, from_logits=True)"),
    ("loss-certain", "(images, logits, from_logits=True)", "(images, tf.sigmoid(logits), from_logits=True)"),  # ops.sigmoid: Keras mends it
    ("loss-finite", "ops.binary_crossentropy(images, logits, from_logits=True)",
     "-(images * ops.log(ops.sigmoid(logits)) + (1 - images) * ops.log(1 - ops.sigmoid(logits)))"),
    ("loss-mean", "kl = 0.5 * ops.sum", "kl = 0.5 * ops.mean"),
    ("loss-mean", "kl = 0.5 *", "kl ="),
    ("loss-variance", "ops.exp(log_var) -", "ops.exp(2 * log_var) -"),
    ("loss-whole", "return cross + kl", "return cross + kl + 0.05 * ops.sum(mean[:, :1] * log_var[:, :1], 1)"),
    ("loss-alone", "return cross + kl", "return cross + kl / ops.cast(len(images), 'float32') * 6"),
    ("loss-gradients", "return cross + kl", "return cross + ops.stop_gradient(kl)"),
]  # fmt: skip

STEP = [
    """
def vae_step(encoder, decoder, optimizer, images):
    with tf.GradientTape() as tape:
        mean, log_var = encoder(images, training=True)
        z = mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))
        logits = decoder(z, training=True)
        cross = ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))
        kl = 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=1)
        total = ops.mean(cross + kl)
    weights = encoder.trainable_variables + decoder.trainable_variables
    gradients = tape.gradient(total, weights)
    optimizer.apply(gradients, weights)
    return total
""",
    """
@tf.function
def vae_step(encoder, decoder, optimizer, images):
    with tf.GradientTape() as tape:
        mean, log_var = encoder(images, training=True)
        logits = decoder(mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean)), training=True)
        cross = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=logits)
        total = tf.reduce_mean(tf.reduce_sum(cross, [1, 2, 3]))
        total += tf.reduce_mean(-0.5 * tf.reduce_sum(1 + log_var - mean**2 - tf.exp(log_var), 1))
    weights = decoder.trainable_weights + encoder.trainable_weights
    optimizer.apply_gradients(zip(tape.gradient(total, weights), weights))
    return total
""",
    """
def vae_step(encoder, decoder, optimizer, images):
    weights = [*encoder.trainable_variables, *decoder.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        mean, log_var = encoder(images, training=True)
        z = mean + ops.exp(log_var / 2) * keras.random.normal(mean.shape)
        logits = decoder(z, training=True)
        cross = ops.sum(ops.softplus(logits) - images * logits) / len(images)
        kl = ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var) / (2 * len(images))
    values = [weight.value for weight in weights]
    both = [tape.gradient(one, values, unconnected_gradients=tf.UnconnectedGradients.ZERO) for one in (cross, kl)]
    optimizer.apply([one + other for one, other in zip(*both)], weights)
    return float(cross + kl)
""",
]
WRONG_STEP = [
    ("step-once", "weights = encoder.trainable_variables + decoder.trainable_variables", "weights = decoder.trainable_variables"),
    ("step-once", "    optimizer.apply(gradients, weights)\n", ""),
    ("step-once", "    optimizer.apply(gradients, weights)\n", "    optimizer.apply(gradients, weights)\n" * 2),
    ("step-loss", "ops.mean(cross + kl)", "ops.sum(cross + kl)"),
    ("step-noise", "keras.random.normal(ops.shape(mean))", "keras.random.normal((mean.shape[1],))"),
    ("step-noise", "mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))", "mean"),
    ("step-noise", "ops.exp(log_var / 2) *", "ops.exp(log_var) *"),
    ("step-anew", "ops.shape(mean))", "ops.shape(mean), seed=1)"),
    ("step-encoder", "decoder(z, training=True)", "decoder(ops.stop_gradient(z), training=True)"),
    ("step-first", "gradients = tape.gradient(total, weights)", "gradients = [2 * each for each in tape.gradient(total, weights)]"),
    ("step-second", "    optimizer.apply(gradients, weights)\n",
     "    kept[int(optimizer.iterations) :] = [gradients]\n    optimizer.apply([sum(each) for each in zip(*kept)], weights)\n",
     ("\ndef ", "\nkept = []\n\ndef ")),
    ("step-mode", "encoder(images, training=True)", "encoder(images)"),
    ("step-mode", "decoder(z, training=True)", "decoder(z, training=False)"),
]  # fmt: skip

NETWORKS = [
    """
class Generator(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.image = layers.Dense(32, activation="elu"), layers.Dense(784), layers.Reshape((28, 28, 1))

    def call(self, z):
        return self.image(self.second(self.first(z)))

class Discriminator(keras.Model):
    def __init__(self):
        super().__init__()
        self.flat, self.body, self.head = layers.Flatten(), layers.Dense(32), layers.Dense(1)

    def call(self, images):
        return self.head(ops.leaky_relu(self.body(self.flat(images)), 0.2))

generator, discriminator = Generator, Discriminator
""",
    """
def generator():
    return keras.Sequential([
        layers.Dense(7 * 7 * 8), layers.Reshape((7, 7, 8)), layers.BatchNormalization(), layers.ReLU(),
        layers.Conv2DTranspose(8, 4, 2, "same"), layers.ReLU(), layers.Conv2DTranspose(1, 4, 2, "same"),
    ])

def discriminator():
    return keras.Sequential([
        layers.Conv2D(8, 4, 2, "same"), layers.LeakyReLU(), layers.Dropout(0.3), layers.SpectralNormalization(layers.Conv2D(8, 4, 2, "same")),
        layers.LeakyReLU(), layers.Flatten(), layers.Dense(1),
    ])
""",
    """
z = keras.Input((4,))
generator = keras.Model(z, layers.Reshape((28, 28, 1))(layers.Dense(784)(layers.Dense(16, activation="tanh")(z))))
x = keras.Input((28, 28, 1))
logit = layers.Dense(1)(layers.GlobalAveragePooling2D()(layers.Conv2D(8, 5, activation="silu")(2 * x - 1)))
discriminator = keras.Model(x, layers.Reshape(())(logit))
""",
]
WRONG_NETWORKS = [
    ("generator-unbounded", "layers.Dense(784)", 'layers.Dense(784, activation="sigmoid")'),
    ("generator-unbounded", "layers.Dense(784)", 'layers.Dense(784, activation="tanh")'),
    ("generator-shape", "self.image(self.second(self.first(z)))", "self.second(self.first(z))"),
    ("generator-learns", "self.first(z)", "ops.stop_gradient(self.first(z))"),
    ("generator-whole", "self.first(z)", "self.first(z[:, :3])"),
    ("discriminator-unbounded", "layers.Dense(1)", 'layers.Dense(1, activation="sigmoid")'),
    ("discriminator-shape", "layers.Dense(1)", "layers.Dense(2)"),
    ("discriminator-shape", "return self.head(ops.leaky_relu(self.body(self.flat(images)), 0.2))",
     "return ops.mean(self.head(ops.leaky_relu(self.body(self.flat(images)), 0.2)))"),
    ("discriminator-rows", "self.flat(images)", "self.flat(images - ops.mean(images, axis=0))"),
    ("discriminator-whole", "self.flat(images)", "self.flat(images[:, :12])"),
    ("discriminator-learns", "ops.leaky_relu(self.body(self.flat(images)), 0.2)", "ops.stop_gradient(ops.leaky_relu(self.body(self.flat(images)), 0.2))"),
    ("discriminator-registered", "self.head(ops", "layers.Dense(1)(ops"),
    ("discriminator-repeats", "self.flat(images)", "self.flat(images + 0.1 * keras.random.normal(ops.shape(images)))"),
]  # fmt: skip

GAN_STEP = [
    """
def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    fake = ops.sigmoid(generator(noise(), training=True))
    with tf.GradientTape() as tape:
        real_logit = discriminator(images, training=True)
        fake_logit = discriminator(fake, training=True)
        d_loss = ops.mean(ops.binary_crossentropy(0.9 * ops.ones_like(real_logit), real_logit, from_logits=True))
        d_loss += ops.mean(ops.binary_crossentropy(ops.zeros_like(fake_logit), fake_logit, from_logits=True))
    weights = discriminator.trainable_variables
    discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)
    with tf.GradientTape() as tape:
        fake = ops.sigmoid(generator(noise(), training=True))
        fake_logit = discriminator(fake, training=True)
        g_loss = ops.mean(ops.binary_crossentropy(ops.ones_like(fake_logit), fake_logit, from_logits=True))
    weights = generator.trainable_variables
    generator_optimizer.apply(tape.gradient(g_loss, weights), weights)
    return d_loss, g_loss
""",
    """
bce = keras.losses.BinaryCrossentropy(from_logits=True)

@tf.function
def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    z = noise(len(images))
    with tf.GradientTape() as tape:
        fake = tf.sigmoid(generator(z, training=True))
        real, false = discriminator(images, training=True), discriminator(fake, training=True)
        d_loss = (bce(0.9 * tf.ones_like(real), real) + bce(tf.zeros_like(false), false)) / 2
    gradients = tape.gradient(d_loss, discriminator.trainable_variables)
    discriminator_optimizer.apply_gradients(zip(gradients, discriminator.trainable_variables))
    with tf.GradientTape() as tape:
        false = discriminator(tf.sigmoid(generator(z, training=True)), training=True)
        g_loss = bce(tf.ones_like(false), false)
    gradients = tape.gradient(g_loss, generator.trainable_variables)
    generator_optimizer.apply_gradients(zip(gradients, generator.trainable_variables))
    return d_loss, g_loss
""",
    """
def step(generator, discriminator, images, noise, generator_optimizer, discriminator_optimizer):
    def descend(loss, network, optimizer):
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([weight.value for weight in network.trainable_variables])
            value = loss()
        optimizer.apply(tape.gradient(value, network.trainable_variables), network.trainable_variables)
        return float(value)

    def judge():
        real, fake = discriminator(images, training=True), discriminator(ops.sigmoid(generator(noise(), training=True)), training=True)
        return ops.mean(0.9 * ops.softplus(-real) + 0.1 * ops.softplus(real)) + ops.mean(ops.softplus(fake))

    def fool():
        return -ops.mean(ops.log_sigmoid(discriminator(ops.sigmoid(generator(noise(), training=True)), training=True)))

    return descend(judge, discriminator, discriminator_optimizer), descend(fool, generator, generator_optimizer)
""",
]
WRONG_GAN_STEP = [
    ("gan-losses", "return d_loss, g_loss", "return g_loss, d_loss"),
    ("gan-losses", "return d_loss, g_loss", "return 0, 0"),
    ("gan-real", "0.9 * ops.ones_like(real_logit)", "ops.ones_like(real_logit)"),
    ("gan-real", "0.9 * ops.ones_like(real_logit)", "ops.zeros_like(real_logit)", ("ops.zeros_like(fake_logit)", "ops.ones_like(fake_logit)")),
    ("gan-fake", "ops.zeros_like(fake_logit)", "0.1 * ops.ones_like(fake_logit)"),
    ("gan-fake", "    fake = ops.sigmoid(generator(noise(), training=True))\n    with", "    fake = generator(noise(), training=True)\n    with"),
    ("gan-fooled", "(ops.ones_like(fake_logit), fake_logit", "(0.9 * ops.ones_like(fake_logit), fake_logit"),
    ("gan-fooled", "(ops.ones_like(fake_logit), fake_logit", "(ops.zeros_like(fake_logit), fake_logit"),
    ("gan-fooled", "    return d_loss, g_loss", "    return d_loss, g_loss",
     ("from_logits=True))\n    weights = generator", "from_logits=True)) + 0 * ops.sum(fake) + 0.1 * ops.mean(fake_logit)\n    weights = generator")),
    ("gan-start", "g_loss = ops.mean(ops.binary_crossentropy(ops.ones_like", "g_loss = -ops.mean(ops.binary_crossentropy(ops.zeros_like"),
    ("gan-second", "generator_optimizer.apply(tape.gradient(g_loss, weights), weights)",
     "kept[int(generator_optimizer.iterations) :] = [tape.gradient(g_loss, weights)]\n    generator_optimizer.apply([sum(each) for each in zip(*kept)], weights)",
     ("\ndef ", "\nkept = []\n\ndef ")),
    ("gan-own", "weights = generator.trainable_variables", "weights = generator.trainable_variables + discriminator.trainable_variables"),
    ("gan-order", "    return d_loss, g_loss", "    discriminator_optimizer.apply([0 * w for w in discriminator.trainable_variables], discriminator.trainable_variables)\n    return d_loss, g_loss"),
    ("gan-order", "    discriminator_optimizer.apply(tape.gradient(d_loss, weights), weights)\n", ""),
    ("gan-apart", "        real_logit = discriminator(images, training=True)\n        fake_logit = discriminator(fake, training=True)\n        d_loss",
     "        both = discriminator(ops.concatenate([images, fake]), training=True)\n        real_logit, fake_logit = both[: len(images)], both[len(images) :]\n        d_loss"),
    ("gan-mode", "discriminator(images, training=True)", "discriminator(images)"),
    ("gan-noise", "generator(noise(), training=True)", "generator(keras.random.normal((6, 2)), training=True)"),
    ("gan-returns", "    return d_loss, g_loss", "    return None"),
]  # fmt: skip

FROM_DECODER = [
    """
def generator_from(decoder):
    generator = keras.models.clone_model(decoder)
    generator.set_weights(decoder.get_weights())
    generator.trainable = True
    return generator

def new_images(generator, count, latent_dim):
    z = keras.random.normal((count, latent_dim))
    return ops.sigmoid(generator(z, training=False))
""",
    """
class Wrapped(keras.Model):
    def __init__(self, decoder):
        super().__init__()
        self.net = decoder.__class__.from_config(decoder.get_config())
        self.net.set_weights(decoder.get_weights())
        for layer in self.net.layers:
            layer.trainable = True

    def call(self, z, training=None):
        return self.net(z, training=training)

def generator_from(decoder):
    return Wrapped(decoder)

def new_images(generator, count, latent_dim):
    return tf.concat([tf.sigmoid(generator(tf.random.normal((some, latent_dim)))) for some in (1, count - 1)], 0)
""",
    """
def generator_from(decoder):
    import tempfile, os
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "decoder.keras")
        decoder.save(path)
        generator = keras.models.load_model(path)
    for layer in generator.layers:
        layer.trainable = True
    return generator

def new_images(generator, count, latent_dim):
    return 1 / (1 + ops.exp(-generator(keras.random.normal((count, latent_dim)), training=False)))
""",
]
WRONG_FROM_DECODER = [
    ("from-equal", "    generator.set_weights(decoder.get_weights())\n", ""),
    ("from-apart", "keras.models.clone_model(decoder)", "decoder"),
    ("from-learns", "    generator.trainable = True\n", ""),
    ("images-shape", "ops.sigmoid(generator(z, training=False))", "generator(z, training=False)"),
    ("images-shape", "(count, latent_dim))", "(64, latent_dim))"),
    ("images-noise", "keras.random.normal", "keras.random.uniform"),
    ("images-noise", "keras.random.normal((count, latent_dim))", "ops.repeat(keras.random.normal((1, latent_dim)), count, axis=0)"),
    ("images-alone", "training=False", "training=True"),
    ("images-alone", "ops.sigmoid(generator(z, training=False))", "ops.sigmoid(ops.sigmoid(generator(z, training=False)))"),
    ("images-left", "training=False", "training=True"),
    ("images-left", "    z = ", "    generator.trainable = False\n    z = "),
    ("images-anew", "(count, latent_dim))", "(count, latent_dim), seed=3)"),
]

MENDED = {
    "kl": (
        "0.5 * ops.sum(1 + log_var - mean**2 - ops.exp(log_var), axis=1)",
        "0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=1)",
    ),
    "reconstruction": ("ops.mean(ops.binary_crossentropy(images, logits", "ops.sum(ops.binary_crossentropy(images, logits"),
    "step": ("        both = d_loss + g_loss\n", "        both = g_loss\n"),
    "noise": ("keras.random.normal((ops.shape(mean)[1],))", "keras.random.normal(ops.shape(mean))"),
    "deviation": ("mean + ops.exp(log_var) * keras", "mean + ops.exp(log_var / 2) * keras"),
    "sigmoid": ("logits=probabilities", "logits=logits"),
    "mode": ("generator(z, training=True))\n\n\n# ── 8", "generator(z, training=False))\n\n\n# ── 8"),
    "labels": (
        "ops.zeros_like(real), real, from_logits=True)\n    on_fake = ops.binary_crossentropy(ops.ones_like(fake), fake",
        "ops.ones_like(real), real, from_logits=True)\n    on_fake = ops.binary_crossentropy(ops.zeros_like(fake), fake",
    ),
    "evaluation": ("    z = mean\n", "    z = mean + ops.exp(log_var / 2) * keras.random.normal(ops.shape(mean))\n"),
    "statistics": (
        "        logits = discriminator(ops.concatenate([images, fake]), training=True)\n        real_logit, fake_logit = logits[: len(images)], logits[len(images) :]\n",
        "        real_logit, fake_logit = discriminator(images, training=True), discriminator(fake, training=True)\n",
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
