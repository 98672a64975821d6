# %% [markdown] en
# # 7 · The lab in Keras
#
# What notebooks 1 to 4 write in PyTorch, as it is written in **Keras** on TensorFlow: a sampling layer, an encoder and a decoder, a
# VAE with a `train_step` of its own, a GAN whose generator is that decoder. The same images, the same measures.
#
# You will
#
# 1. write the components and the VAE, and train it by `compile` and `fit`;
# 2. look at reconstructions and at the latent space;
# 3. train the same VAE with latentlab, by Keras, and compare;
# 4. turn the decoder into the generator of a GAN.
#
# Keras is not among the things that every notebook needs: `pip install "latentlab[keras]"`.
# %% [markdown] fr
# # 7 · Le lab en Keras
#
# Ce que les notebooks 1 à 4 écrivent en PyTorch, tel qu’on l’écrit en **Keras** sur TensorFlow : une couche de tirage, un encodeur
# et un décodeur, un VAE avec son propre `train_step`, un GAN dont le générateur est ce décodeur. Les mêmes images, les mêmes
# mesures.
#
# Vous allez
#
# 1. écrire les composants et le VAE, et l’entraîner par `compile` et `fit` ;
# 2. regarder les reconstructions et l’espace latent ;
# 3. entraîner le même VAE avec latentlab, par Keras, et comparer ;
# 4. faire du décodeur le générateur d’un GAN.
#
# Keras ne fait pas partie de ce dont tout notebook a besoin : `pip install "latentlab[keras]"`.
# %% include _setup
# %% include _data
# %%
os.environ["KERAS_BACKEND"] = "tensorflow"
import latentlab.keras  # before Keras: TensorFlow's own messages stay away

import keras
import tensorflow as tf
from keras import layers, ops

keras.utils.set_random_seed(0)
images, val_images, test_images = (part.images[:].astype("float32") / 255 for part in (data.train, data.val, data.test))  # [N, H, W, C]
H, W, C = images.shape[1:]
print(f"Keras {keras.__version__}, TensorFlow {tf.__version__}")
# %% [markdown] en
# ## The components
#
# Keras has the channels last: an image is $[H, W, C]$. The encoder has two heads, $\mu$ and $\log \sigma^2$; the **sampling layer**
# is the reparameterisation; the decoder gives logits.
#
# $$z = \mu + \sigma \odot \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)$$
# %% [markdown] fr
# ## Les composants
#
# En Keras, les canaux viennent en dernier : une image est $[H, W, C]$. L’encodeur a deux têtes, $\mu$ et $\log \sigma^2$ ; la
# **couche de tirage** est la reparamétrisation ; le décodeur donne des logits.
#
# $$z = \mu + \sigma \odot \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)$$
# %%
Z = 20


class Sampling(layers.Layer):
    def call(self, inputs):
        mean, log_var = inputs
        return mean + ops.exp(0.5 * log_var) * keras.random.normal(ops.shape(mean))  # z = μ + σ ⊙ ε, [N, Z]


x = keras.Input((H, W, C))
hidden = layers.Dense(400, activation="relu")(layers.Flatten()(x))
encoder = keras.Model(x, [layers.Dense(Z, name="mean")(hidden), layers.Dense(Z, name="log_var")(hidden)], name="encoder")

z = keras.Input((Z,))
hidden = layers.Dense(400, activation="relu")(z)
decoder = keras.Model(z, layers.Reshape((H, W, C))(layers.Dense(H * W * C)(hidden)), name="decoder")

encoder.summary()
# %% [markdown] en
# ## The loss and the training step
#
# Both terms of the negative ELBO in nats per image, each **summed** over its own image, $[N]$:
#
# $$-\log p(x|z) = -\sum_i \big[x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)\big], \qquad
# \mathrm{KL} = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
#
# Keras's own losses take the **mean** over the pixels: with them the KL would weigh $H \cdot W \cdot C$ times too much.
# %% [markdown] fr
# ## La perte et le pas d’entraînement
#
# Les deux termes de l’ELBO négative en nats par image, chacun **sommé** sur sa propre image, $[N]$ :
#
# $$-\log p(x|z) = -\sum_i \big[x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)\big], \qquad
# \mathrm{KL} = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
#
# Les pertes de Keras prennent la **moyenne** sur les pixels : avec elles, la KL pèserait $H \cdot W \cdot C$ fois trop.
# %%
def terms(encoder, decoder, images, training=False):
    mean, log_var = encoder(images, training=training)
    logits = decoder(Sampling()([mean, log_var]), training=training)
    reconstruction = ops.sum(ops.binary_crossentropy(images, logits, from_logits=True), axis=(1, 2, 3))  # −log p(x|z)
    kl = 0.5 * ops.sum(mean**2 + ops.exp(log_var) - 1 - log_var, axis=1)  # KL(q(z|x) ‖ p(z))
    return reconstruction, kl  # [N], [N]


class VAE(keras.Model):
    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.loss_mean, self.kl_mean = keras.metrics.Mean("loss"), keras.metrics.Mean("kl")

    def seen(self, reconstruction, kl):
        self.loss_mean.update_state(reconstruction + kl)
        self.kl_mean.update_state(kl)
        return {"loss": self.loss_mean.result(), "kl": self.kl_mean.result()}

    def train_step(self, images):
        with tf.GradientTape() as tape:
            reconstruction, kl = terms(self.encoder, self.decoder, images, training=True)
            loss = ops.mean(reconstruction + kl)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return self.seen(reconstruction, kl)

    def test_step(self, images):
        return self.seen(*terms(self.encoder, self.decoder, images))
# %% [markdown] en
# ## The training
#
# After every epoch a **callback** decodes the same twenty $z$ from the prior.
# %% [markdown] fr
# ## L’entraînement
#
# Après chaque époque, un **callback** décode les vingt mêmes $z$, tirés de la loi a priori.
# %%
EPOCHS = 2 if QUICK else 10 if DATA == "mnist" else 60
z_fixed = keras.random.normal((20, Z), seed=0)


def drawn(network, z=z_fixed):
    return np.asarray(ops.round(255 * ops.sigmoid(network(z, training=False)))).astype("uint8")  # [N, H, W, C]


class NewImages(keras.callbacks.Callback):
    def __init__(self, network):
        super().__init__()
        self.network, self.history = network, {0: drawn(network)}

    def on_epoch_end(self, epoch, logs=None):
        self.history[epoch + 1] = drawn(self.network)


vae, new_images = VAE(encoder, decoder), NewImages(decoder)
vae.compile(optimizer=keras.optimizers.Adam(1e-3))
fitted = vae.fit(images, validation_data=val_images, epochs=EPOCHS, batch_size=128, callbacks=[new_images], verbose=0).history
# %% en
TRAINING, VALIDATION, LOSS = "training", "validation", "negative ELBO (nats)"
LEARNED = "On validation images the negative ELBO fell from {first} to {last} nats, of which {kl} nats are KL."
# %% fr
TRAINING, VALIDATION, LOSS = "entraînement", "validation", "ELBO négative (nats)"
LEARNED = "Sur les images de validation, l’ELBO négative est passée de {first} à {last} nats, dont {kl} nats de KL."
# %%
curves({TRAINING: fitted["loss"], VALIDATION: fitted["val_loss"]}, y=LOSS)
first, last, kl = (number(value, LANG, 1) for value in (fitted["val_loss"][0], fitted["val_loss"][-1], fitted["val_kl"][-1]))
print(LEARNED.format(first=first, last=last, kl=kl))
film(new_images.history)
# %% [markdown] en
# ## Reconstructions
#
# What the decoder makes of $\mu$, the centre of the cloud that the encoder gives for an image that it never saw.
# %% [markdown] fr
# ## Reconstructions
#
# Ce que le décodeur fait de $\mu$, le centre du nuage que l’encodeur donne à une image qu’il n’a jamais vue.
# %% en
ROWS = ("image", "reconstruction")
# %% fr
ROWS = ("image", "reconstruction")
# %%
mean, log_var = encoder(test_images[:10])
show(dict(zip(ROWS, (data.test.images[:10], drawn(decoder, mean)), strict=True)))
# %% [markdown] en
# ## The same with latentlab
#
# `latentlab train keras-vae` is this VAE, trained by Keras in a process of its own: a run folder, which can be stopped and resumed,
# measured and shown like any other. In lines of Keras it is `latentlab.keras.VAE(Encoder(), Decoder())` with `compile` and `fit`. Yours can come in too: saved as
# `.keras` and imported it is a run as well, and both are measured in one way. (What is measured of a run is a moving average of its
# weights over the last 5,000 images or so; yours has none.)
# %% [markdown] fr
# ## La même chose avec latentlab
#
# `latentlab train keras-vae` est ce VAE, entraîné par Keras dans un processus à lui : un dossier d’entraînement, qu’on peut arrêter et
# reprendre, mesurer et montrer comme tout autre. En lignes de Keras, c’est `latentlab.keras.VAE(Encoder(), Decoder())` avec `compile` et `fit`. Le vôtre peut entrer
# aussi : enregistré en `.keras` puis importé, c’est un dossier d’entraînement de plus, et les deux se mesurent de la même façon. (Ce
# que l’on mesure d’un entraînement est une moyenne mobile de ses poids sur les 5 000 dernières images environ ; le vôtre n’en a pas.)
# %%
options = {"data": DATA, "train_images": TRAIN_IMAGES, "latent_dim": Z}
asked = ["--latent-dim", str(Z), "--data", DATA, "--epochs", str(EPOCHS), "--out", "theirs"]
asked += ["--data.train-images", str(TRAIN_IMAGES)] if TRAIN_IMAGES else []
subprocess.run([sys.executable, "-m", "latentlab", "train", "keras-vae", *asked], check=True, capture_output=True)
run = ll.open_run("theirs")

decoder.save("mine.keras")
encoder.save("mine-encoder.keras")
mine = ll.import_run("mine.keras", "mlp-vae", out="mine", **options)
print(run, mine, sep="\n")
# %% en
NAMES = ("ours", "latentlab's")
MEAN = "Negative ELBO on {n} test images: ours {ours} nats, latentlab's {theirs} nats."
ALIKE = "The difference, {difference} nats, is less than two standard errors: no difference can be seen."
BETTER = "The difference is {difference} nats: {who} has the lower bound, by {times} standard errors."
# %% fr
NAMES = ("le nôtre", "celui de latentlab")
MEAN = "ELBO négative sur {n} images de test : la nôtre {ours} nats, celle de latentlab {theirs} nats."
ALIKE = "L’écart, {difference} nats, est inférieur à deux erreurs types : on ne voit pas de différence."
BETTER = "L’écart est de {difference} nats : l’ELBO négative la plus basse est obtenue par {who}, avec {times} erreurs types d’avance."
# %%
theirs = run.networks()  # in PyTorch: channels first
with torch.no_grad():
    mu, log_variance = theirs["encoder"](x_test)
    logits = theirs["decoder"](mu + (0.5 * log_variance).exp() * torch.randn_like(mu))
    cross = F.binary_cross_entropy_with_logits(logits, x_test, reduction="none").flatten(1).sum(1)
    nats = cross + 0.5 * (mu**2 + log_variance.exp() - 1 - log_variance).sum(1)
own = torch.tensor(np.asarray(sum(terms(encoder, decoder, test_images))))
difference, stderr = paired(own, nats)
told = {"difference": measured(difference, stderr, LANG), "times": number(abs(difference) / stderr, LANG, 0)}
print(MEAN.format(n=number(len(own), LANG), ours=number(own.mean().item(), LANG, 1), theirs=number(nats.mean().item(), LANG, 1)))
print((ALIKE if abs(difference) < 2 * stderr else BETTER).format(who=NAMES[difference > 0], **told))
# %% [markdown] en
# ## The latent space
#
# Your model, with its decoder running in this page. Drag the ring: every point is a code, beside it what your decoder makes of it.
# %% [markdown] fr
# ## L’espace latent
#
# Votre modèle, dont le décodeur tourne dans cette page. Faites glisser l’anneau : chaque point est un code, à côté ce que votre
# décodeur en fait.
# %%
mine.explore(lang=LANG)
# %% [markdown] en
# ## The decoder becomes the generator
#
# A clone with the decoder's weights, and a discriminator that gives one logit for each image. Each step is two updates, each by its
# own optimizer and by the weights of its own network:
#
# $$L_D = \mathrm{BCE}\big(D(x), 0.9\big) + \mathrm{BCE}\big(D(G(z)), 0\big), \qquad L_G = \mathrm{BCE}\big(D(G(z)), 1\big)$$
# %% [markdown] fr
# ## Le décodeur devient le générateur
#
# Un clone avec les poids du décodeur, et un discriminateur qui donne un logit par image. Chaque pas fait deux mises à jour, chacune
# par son propre optimiseur et selon les poids de son propre réseau :
#
# $$L_D = \mathrm{BCE}\big(D(x), 0.9\big) + \mathrm{BCE}\big(D(G(z)), 0\big), \qquad L_G = \mathrm{BCE}\big(D(G(z)), 1\big)$$
# %%
generator = keras.models.clone_model(decoder)
generator.set_weights(decoder.get_weights())
discriminator = keras.Sequential([
    keras.Input((H, W, C)), layers.Conv2D(32, 4, 2, "same"), layers.LeakyReLU(0.2), layers.Conv2D(64, 4, 2, "same"), layers.LeakyReLU(0.2),
    layers.Flatten(), layers.Dense(1),
], name="discriminator")  # [N, H, W, C] → [N, 1]


def bce(target, logits):
    return ops.mean(ops.binary_crossentropy(target * ops.ones_like(logits), logits, from_logits=True))


class GAN(keras.Model):
    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    def compile(self, g_optimizer, d_optimizer):
        super().compile()
        self.g_optimizer, self.d_optimizer = g_optimizer, d_optimizer

    def fake(self, count):
        return ops.sigmoid(self.generator(keras.random.normal((count, Z)), training=True))

    def train_step(self, images):
        count = ops.shape(images)[0]
        fake = self.fake(count)  # outside the tape: it is not the generator's turn
        with tf.GradientTape() as tape:
            d_loss = bce(0.9, self.discriminator(images, training=True)) + bce(0.0, self.discriminator(fake, training=True))
        weights = self.discriminator.trainable_variables
        self.d_optimizer.apply(tape.gradient(d_loss, weights), weights)
        with tf.GradientTape() as tape:
            g_loss = bce(1.0, self.discriminator(self.fake(count), training=True))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        return {"d_loss": d_loss, "g_loss": g_loss}


gan, game = GAN(generator, discriminator), NewImages(generator)
gan.compile(g_optimizer=keras.optimizers.Adam(5e-4, beta_1=0.5), d_optimizer=keras.optimizers.Adam(2e-4, beta_1=0.5))
gan.fit(images, epochs=1 if QUICK else 4 if DATA == "mnist" else 40, batch_size=64, callbacks=[game], verbose=0)
film(game.history)
# %% [markdown] en
# At epoch 0 the generator **is** the decoder. `latentlab.keras.GAN(generator=vae.decoder)` is this game in one line, and
# `latentlab train keras-gan --generator-from RUN` plays it as a run. Has it become a better generator? By the **Fréchet distance** to
# real images (the lower, the better):
# %% [markdown] fr
# À l’époque 0, le générateur **est** le décodeur. `latentlab.keras.GAN(generator=vae.decoder)` est cette partie en une ligne, et
# `latentlab train keras-gan --generator-from DOSSIER` la joue comme un entraînement. Est-il devenu un meilleur générateur ? À l’aune
# de la **distance de Fréchet** aux images réelles (plus elle est basse, mieux c’est) :
# %% en
WHO = {"before": "VAE's decoder", "after": "generator"}
LINE = "{name}: Fréchet distance {value}, 95 % interval {low} to {high}"
VERDICTS = ("It has become a better generator.", "It has become a worse generator.", "The intervals overlap: no clear change.")
# %% fr
WHO = {"before": "Décodeur du VAE", "after": "Générateur"}
LINE = "{name} : distance de Fréchet {value}, intervalle à 95 % de {low} à {high}"
VERDICTS = ("Il est devenu un meilleur générateur.", "Il est devenu un moins bon générateur.", "Les intervalles se recouvrent : pas de changement net.")
# %%
z_many = keras.random.normal((60 if QUICK else 1000, Z), seed=1)
reference, found = ll.preset("keras-vae", **options).data, {}
for name, network in {"before": decoder, "after": generator}.items():
    made = drawn(network, z_many)
    found[name] = ll.measure(made, data=reference, extractors="random-convolutions" if QUICK else None)["scores"]["frechet"]
    value, low, high = (significant(one, LANG) for one in (found[name]["value"], *found[name]["ci95"]))
    print(LINE.format(name=WHO[name], value=value, low=low, high=high))
(low, high), (was_low, was_high) = found["after"]["ci95"], found["before"]["ci95"]
print(VERDICTS[0 if high < was_low else 1 if was_high < low else 2])
# %% [markdown] en
# ## Exercises
#
# 1. Train the VAE with `keras.losses.binary_crossentropy` instead of the sum. What do the new images look like, and how large is the KL?
# 2. Draw the noise with `seed=0` in `Sampling`. What does the decoder learn?
# 3. Leave out `set_weights`: a cold start. Does the head start last?
# 4. **Write it yourself**, and be told what is wrong:
#
#    ```
#    latentlab exercise sampling --framework keras --out my_vae.py
#    latentlab exercise vae-step --framework keras --out my_vae.py
#    latentlab check my_vae.py
#    ```
#
# The lab's questions, answered by experiments whatever the framework: `latentlab question reparameterization`, `latentlab question
# kl`, `latentlab question decoder-as-generator`, `latentlab question encoder-vs-discriminator`.
# %% [markdown] fr
# ## Exercices
#
# 1. Entraînez le VAE avec `keras.losses.binary_crossentropy` au lieu de la somme. À quoi ressemblent les nouvelles images, et que
#    vaut la KL ?
# 2. Tirez le bruit avec `seed=0` dans `Sampling`. Qu’apprend le décodeur ?
# 3. Supprimez `set_weights` : un départ à froid. L’avance dure-t-elle ?
# 4. **Écrivez-le vous-même**, et faites-vous dire ce qui n’y va pas :
#
#    ```
#    latentlab exercise sampling --framework keras --out mon_vae.py --lang fr
#    latentlab exercise vae-step --framework keras --out mon_vae.py --lang fr
#    latentlab check mon_vae.py
#    ```
#
# Les questions du lab, auxquelles des expériences répondent quel que soit le framework : `latentlab question reparameterization`,
# `latentlab question kl`, `latentlab question decoder-as-generator`, `latentlab question encoder-vs-discriminator`.
