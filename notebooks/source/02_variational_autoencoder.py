# %% [markdown] en
# # 2 · The variational autoencoder
#
# An autoencoder copies, but it does not say where its codes lie, so we do not know which codes to decode for a new image. The
# **variational autoencoder (VAE)** settles that. Its encoder no longer gives one code but a small cloud of codes, and a second
# term in the loss asks all clouds together to look like one known distribution, $\mathcal N(0, I)$. To make a new image: draw
# $z$ from $\mathcal N(0, I)$, decode it.
#
# You will
#
# 1. write the three new lines (sample, reconstruction, KL), beside their equations;
# 2. watch new images come out of the same $z$ after every epoch;
# 3. train the same VAE with latentlab, and compare by the ELBO on test images;
# 4. walk through two latent spaces, of 16 numbers and of two.
# %% [markdown] fr
# # 2 · L’autoencodeur variationnel
#
# Un autoencodeur copie, mais il ne dit pas où se trouvent ses codes : on ignore donc quels codes décoder pour obtenir une
# nouvelle image. L’**autoencodeur variationnel (VAE)** y remédie. Son encodeur ne donne plus un code, mais un petit nuage de
# codes ; et un second terme de la perte demande à tous ces nuages réunis de ressembler à une loi connue, $\mathcal N(0, I)$.
# Pour créer une image : tirer $z$ de $\mathcal N(0, I)$, puis le décoder.
#
# Vous allez
#
# 1. écrire les trois nouvelles lignes (tirage, reconstruction, KL), chacune à côté de son équation ;
# 2. voir quelles nouvelles images sortent des mêmes $z$ après chaque époque ;
# 3. entraîner le même VAE avec latentlab, et comparer les deux par l’ELBO sur les images de test ;
# 4. vous promener dans deux espaces latents, l’un de 16 nombres, l’autre de deux.
# %% include _setup
# %% include _data
# %% [markdown] en
# ## The idea
#
# We would like to maximise $\log p(x)$, the probability that the model gives to an image. It cannot be computed, but there is a
# bound from below, the **ELBO** (evidence lower bound):
#
# $$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\big[\log p(x|z)\big] \;-\; \mathrm{KL}\big(q(z|x) \,\Vert\, p(z)\big)$$
#
# - The **prior** $p(z) = \mathcal N(0, I)$ is where we shall draw from.
# - The **encoder** gives the approximate **posterior** $q(z|x) = \mathcal N(\mu, \mathrm{diag}\,\sigma^2)$: two outputs, $\mu$ and
#   $\log \sigma^2$.
# - The **decoder** gives $p(x|z)$, here a probability of white for each pixel, as a logit.
#
# We minimise the negative ELBO, in nats. Three lines do it all.
#
# **1 · Draw a code.** To draw $z$ and still know how it depends on $\mu$ and $\sigma$, draw noise that depends on nothing, then
# shift and scale it. That is the **reparameterisation**:
#
# $$z = \mu + \sigma \odot \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)$$
#
# **2 · The reconstruction**, a binary cross-entropy, summed over the pixels:
#
# $$-\log p(x|z) = -\sum_i \big[x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)\big]$$
#
# **3 · The KL divergence** of two Gaussians, which is known in closed form, summed over the latent units:
#
# $$\mathrm{KL} = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
# %% [markdown] fr
# ## L’idée
#
# On voudrait maximiser $\log p(x)$, la probabilité que le modèle donne à une image. Elle ne se calcule pas ; mais on en connaît
# un minorant, l’**ELBO** (*evidence lower bound*) :
#
# $$\log p(x) \;\ge\; \mathbb{E}_{q(z|x)}\big[\log p(x|z)\big] \;-\; \mathrm{KL}\big(q(z|x) \,\Vert\, p(z)\big)$$
#
# - La **loi a priori** $p(z) = \mathcal N(0, I)$ : c’est d’elle que nous tirerons.
# - L’**encodeur** donne une approximation de la **loi a posteriori**, $q(z|x) = \mathcal N(\mu, \mathrm{diag}\,\sigma^2)$ : deux
#   sorties, $\mu$ et $\log \sigma^2$.
# - Le **décodeur** donne $p(x|z)$ : ici, pour chaque pixel, la probabilité d’être blanc, sous forme de logit.
#
# On minimise l’ELBO négative, en nats. Tout tient en trois lignes.
#
# **1 · Tirer un code.** Pour tirer $z$ sans perdre de vue comment il dépend de $\mu$ et de $\sigma$, on tire un bruit qui ne
# dépend de rien, puis on le décale et on le met à l’échelle. C’est la **reparamétrisation** :
#
# $$z = \mu + \sigma \odot \varepsilon, \qquad \varepsilon \sim \mathcal N(0, I)$$
#
# **2 · La reconstruction**, une entropie croisée binaire, sommée sur les pixels :
#
# $$-\log p(x|z) = -\sum_i \big[x_i \log \hat x_i + (1 - x_i) \log (1 - \hat x_i)\big]$$
#
# **3 · La divergence KL** de deux lois gaussiennes, dont on connaît la forme exacte, sommée sur les unités latentes :
#
# $$\mathrm{KL} = \tfrac12 \sum_j \big(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\big)$$
# %%
Z, D = 16, shape.numel()

encoder = nn.Sequential(nn.Flatten(), nn.Linear(D, 400), nn.ReLU(), nn.Linear(400, 2 * Z)).to(device)
decoder = nn.Sequential(nn.Linear(Z, 400), nn.ReLU(), nn.Linear(400, D), nn.Unflatten(1, shape)).to(device)


def negative_elbo(x, encode, decode):
    mu, log_var = encode(x)
    z = mu + (0.5 * log_var).exp() * torch.randn_like(mu)  # z = μ + σ ⊙ ε, [N, Z]
    logits = decode(z)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)  # −log p(x|z)
    kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # KL(q(z|x) ‖ p(z))
    return reconstruction, kl  # [N], [N]


def encode(x):
    return encoder(x).chunk(2, dim=1)  # μ, log σ²
# %% [markdown] en
# ## The training
#
# The loop is the autoencoder's. After every epoch we decode the **same twenty $z$** from the prior: nothing but the weights
# changes.
# %% [markdown] fr
# ## L’entraînement
#
# La boucle est celle de l’autoencodeur. Après chaque époque, on décode les **vingt mêmes $z$**, tirés de la loi a priori : rien
# d’autre que les poids ne change.
# %%
EPOCHS = 2 if QUICK else 10 if DATA == "mnist" else 60
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
batches = DataLoader(TensorDataset(x_train), batch_size=128, shuffle=True, num_workers=0)
z_fixed = torch.randn(20, Z, device=device)


@torch.no_grad()
def new_images():
    return to_bytes(torch.sigmoid(decoder(z_fixed)))


train_curve, val_curve, val_kl, history = [], [], [], {0: new_images()}
for epoch in tqdm(range(1, EPOCHS + 1)):
    total = 0.0
    for (x,) in batches:
        reconstruction, kl = negative_elbo(x.to(device), encode, decoder)
        batch_loss = (reconstruction + kl).mean()
        optimizer.zero_grad()
        batch_loss.backward()
        optimizer.step()
        total += batch_loss.item() * len(x)
    train_curve.append(total / len(x_train))
    with torch.no_grad():
        reconstruction, kl = negative_elbo(x_val.to(device), encode, decoder)
    val_curve.append((reconstruction + kl).mean().item())
    val_kl.append(kl.mean().item())
    history[epoch] = new_images()
# %% en
TRAINING, VALIDATION, LOSS, KL = "training", "validation", "negative ELBO (nats)", "KL (nats)"
LEARNED = "On validation images the negative ELBO fell from {first} to {last} nats, of which {kl} nats are KL."
BITS = "The KL is what the code says of an image: at most {kl} nats, or {bits} bits, on average."
GREY = "The pixels are grey: the first term cannot fall below their entropy, {floor} nats. The model is {above} nats above that floor."
# %% fr
TRAINING, VALIDATION, LOSS, KL = "entraînement", "validation", "ELBO négative (nats)", "KL (nats)"
LEARNED = "Sur les images de validation, l’ELBO négative est passée de {first} à {last} nats, dont {kl} nats de KL."
BITS = "La KL mesure ce que le code dit d’une image : en moyenne, {kl} nats au plus, soit {bits} bits."
GREY = "Les pixels sont gris : le premier terme ne peut descendre au-dessous de leur entropie, {floor} nats. Le modèle est {above} nats au-dessus de ce plancher."
# %%
curves({TRAINING: train_curve, VALIDATION: val_curve}, y=LOSS)
curves({KL: val_kl}, y=KL)
p = x_val.flatten(1).double()
floor = -(torch.xlogy(p, p) + torch.xlogy(1 - p, 1 - p)).sum(1).mean().item()  # −Σ [x log x + (1 − x) log (1 − x)]
first, last, kl = (number(value, LANG, 1) for value in (val_curve[0], val_curve[-1], val_kl[-1]))
print(LEARNED.format(first=first, last=last, kl=kl))
print(BITS.format(kl=kl, bits=number(val_kl[-1] / np.log(2), LANG, 1)))
print(GREY.format(floor=number(floor, LANG, 1), above=number(val_curve[-1] - floor, LANG, 1)))
# %%
film(history)
# %% [markdown] en
# ## The same with latentlab
#
# `mlp-vae` is the same VAE. On one yardstick: the negative ELBO of the **test** images, computed for both by the three lines
# above. `run.networks()` gives latentlab's encoder, which returns the pair ($\mu$, $\log \sigma^2$), and its decoder.
# %% [markdown] fr
# ## La même chose avec latentlab
#
# `mlp-vae` est le même VAE. À la même aune : l’ELBO négative des images de **test**, calculée pour les deux par les trois lignes
# ci-dessus. `run.networks()` donne l’encodeur de latentlab, qui renvoie le couple ($\mu$, $\log \sigma^2$), et son décodeur.
# %%
run = ll.train("mlp-vae", data=DATA, train_images=TRAIN_IMAGES, latent_dim=Z, epochs=EPOCHS, device=device.type)
print(run)
# %% en
NAMES = ("ours", "latentlab's")
MEAN = "Negative ELBO on {n} test images: ours {ours} nats, latentlab's {theirs} nats."
ALIKE = "The difference, {difference} nats, is less than two standard errors: no difference can be seen."
BETTER = "The difference is {difference} nats: {who} has the lower bound, by {times} standard errors."
PARTS = "Reconstruction {r_ours} and {r_theirs} nats, KL {k_ours} and {k_theirs} nats."
# %% fr
NAMES = ("le nôtre", "celui de latentlab")
MEAN = "ELBO négative sur {n} images de test : la nôtre {ours} nats, celle de latentlab {theirs} nats."
ALIKE = "L’écart, {difference} nats, est inférieur à deux erreurs types : on ne voit pas de différence."
BETTER = "L’écart est de {difference} nats : l’ELBO négative la plus basse est obtenue par {who}, avec {times} erreurs types d’avance."
PARTS = "Reconstruction : {r_ours} et {r_theirs} nats ; KL : {k_ours} et {k_theirs} nats."
# %%
theirs = run.networks()
with torch.no_grad():
    parts = [
        negative_elbo(x_test.to(device), encode, decoder),
        negative_elbo(x_test, theirs["encoder"], theirs["decoder"]),
    ]
nats = [(reconstruction + kl).cpu() for reconstruction, kl in parts]
(r_ours, k_ours), (r_theirs, k_theirs) = ((number(one.mean().item(), LANG, 1) for one in pair) for pair in parts)

difference, stderr = paired(*nats)
told = {"difference": measured(difference, stderr, LANG), "times": number(abs(difference) / stderr, LANG, 0)}
means = [number(one.mean().item(), LANG, 1) for one in nats]
print(MEAN.format(n=number(len(x_test), LANG), ours=means[0], theirs=means[1]))
print((ALIKE if abs(difference) < 2 * stderr else BETTER).format(who=NAMES[difference > 0], **told))
print(PARTS.format(r_ours=r_ours, r_theirs=r_theirs, k_ours=k_ours, k_theirs=k_theirs))
# %% [markdown] en
# ## Two latent spaces
#
# With `latent_dim=2` nothing is hidden: the map **is** the latent space. With 16 it is a plane through it. Drag the ring over
# both: where one class passes into another, the decoder draws something between. The shaded ellipse is one standard deviation
# of $q(z|x)$ for the chosen image.
# %% [markdown] fr
# ## Deux espaces latents
#
# Avec `latent_dim=2`, rien n’est caché : la carte **est** l’espace latent. Avec 16, c’est un plan qui le traverse. Faites glisser
# l’anneau sur les deux : là où une classe passe à une autre, le décodeur dessine un intermédiaire. L’ellipse ombrée est un
# écart type de $q(z|x)$ pour l’image choisie.
# %%
flat = ll.train("mlp-vae", data=DATA, train_images=TRAIN_IMAGES, latent_dim=2, epochs=EPOCHS, device=device.type)
flat.explore(lang=LANG)
# %%
run.explore(lang=LANG)
# %% en
SIZES = "With 2 latent units the negative ELBO on test images is {two} nats, with {many} units {more} nats: {gain} nats {word}."
WORDS = ("less", "more")
# %% fr
SIZES = "Avec 2 unités latentes, l’ELBO négative sur les images de test vaut {two} nats ; avec {many}, {more} nats : {gain} nats de {word}."
WORDS = ("moins", "plus")
# %%
small = flat.networks()
with torch.no_grad():
    reconstruction, kl = negative_elbo(x_test, small["encoder"], small["decoder"])
two, more = (reconstruction + kl).mean().item(), nats[1].mean().item()
told = [number(value, LANG, 1) for value in (two, more, abs(two - more))]
print(SIZES.format(two=told[0], many=Z, more=told[1], gain=told[2], word=WORDS[more > two]))
show({"Z = 2": flat.sample(10), f"Z = {Z}": run.sample(10)})
# %% [markdown] en
# The images are soft. The decoder gives each pixel its probability, and where several strokes are possible it draws their mean.
# A **GAN** has no such term in its loss: notebook 3.
#
# ## Exercises
#
# 1. Leave out the KL (`batch_loss = reconstruction.mean()`), then take it four times. Look at the new images and at the KL. What
#    is the balance for?
# 2. Write `z = mu` for the sampling. The reconstruction gets better. What do the new images tell?
# 3. Average the reconstruction over the pixels (`.mean(1)`) and keep the KL as it is. Why do all images come out alike?
# 4. **Write it yourself**, and be told what is wrong:
#
#    ```
#    latentlab exercise sampling --out my_sampling.py
#    latentlab exercise vae-loss --out my_vae.py
#    latentlab check my_vae.py
#    ```
#
#    `latentlab train my_vae.py` then trains yours.
#
# The lab's questions: `latentlab question reparameterization`, `latentlab question kl`.
# %% [markdown] fr
# Les images sont floues. Le décodeur donne à chaque pixel sa probabilité : là où plusieurs traits sont possibles, il en dessine
# la moyenne. La perte d’un **GAN** ne contient rien de tel : c’est le notebook 3.
#
# ## Exercices
#
# 1. Supprimez la KL (`batch_loss = reconstruction.mean()`), puis comptez-la quatre fois. Regardez les nouvelles images et la KL.
#    À quoi sert cet équilibre ?
# 2. Écrivez `z = mu` au lieu du tirage. La reconstruction s’améliore. Que disent les nouvelles images ?
# 3. Moyennez la reconstruction sur les pixels (`.mean(1)`) sans toucher à la KL. Pourquoi toutes les images se ressemblent-elles ?
# 4. **Écrivez-le vous-même**, et faites-vous dire ce qui n’y va pas :
#
#    ```
#    latentlab exercise sampling --out mon_tirage.py --lang fr
#    latentlab exercise vae-loss --out mon_vae.py --lang fr
#    latentlab check mon_vae.py
#    ```
#
#    `latentlab train mon_vae.py` entraîne ensuite le vôtre.
#
# Les questions du lab : `latentlab question reparameterization`, `latentlab question kl`.
