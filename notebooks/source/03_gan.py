# %% [markdown] en
# # 3 · The generative adversarial network
#
# A VAE is told, pixel by pixel, how far its copy is from the original. A **generative adversarial network (GAN)** never sees an
# original. It has a judge. The **discriminator** $D$ learns to tell real images from generated ones; the **generator** $G$ learns
# to make images that $D$ takes for real. Each is the other's teacher.
#
# You will
#
# 1. write the two updates, beside their equations;
# 2. watch the same $z$ become digits, epoch after epoch, and read the game's score from the logits;
# 3. train latentlab's default GAN, and compare by numbers how like real images the two sets are, and how varied;
# 4. walk through the latent space of a model that has no encoder.
# %% [markdown] fr
# # 3 · Le réseau antagoniste génératif
#
# À un VAE, on dit pixel par pixel à quelle distance sa copie est de l’original. Un **réseau antagoniste génératif (GAN)** ne
# voit jamais d’original. Il a un juge. Le **discriminateur** $D$ apprend à distinguer les images réelles des images générées ; le
# **générateur** $G$ apprend à faire des images que $D$ prend pour réelles. Chacun est le maître de l’autre.
#
# Vous allez
#
# 1. écrire les deux mises à jour, chacune à côté de son équation ;
# 2. voir les mêmes $z$ devenir des chiffres, époque après époque, et lire le score de la partie dans les logits ;
# 3. entraîner le GAN par défaut de latentlab, et comparer par des nombres la ressemblance des deux ensembles d’images avec les
#    images réelles, et leur variété ;
# 4. vous promener dans l’espace latent d’un modèle qui n’a pas d’encodeur.
# %% include _setup
# %% include _data
# %% [markdown] en
# ## The idea
#
# $D$ gives a **logit** $D(x)$, large for "real"; $\sigma(D(x))$ is the probability of it. $G$ makes an image of $z \sim
# \mathcal N(0, I)$. Each has its own loss, and $\mathrm{softplus}(a) = \log(1 + e^a) = -\log \sigma(-a)$:
#
# $$L_D = \mathbb{E}_x\big[\mathrm{softplus}(-D(x))\big] + \mathbb{E}_z\big[\mathrm{softplus}(D(G(z)))\big]$$
#
# $$L_G = \mathbb{E}_z\big[\mathrm{softplus}(-D(G(z)))\big]$$
#
# $D$ lowers its loss by saying *real* to real images and *generated* to the others, $G$ by making $D$ say *real*. ($L_G$ is the
# non-saturating form: the minimax game's own $-\mathrm{softplus}(D(G(z)))$ has hardly a gradient while $D$ is sure.)
#
# Three details that decide whether it works:
#
# - **`detach`**: when $D$ learns, the generated images are just data. Nothing flows back into $G$.
# - **Label smoothing, one-sided**: $D$'s target on real images is 0.9 instead of 1, so that it does not become ever more sure.
#   On generated images it stays 0.
# - **Two learning rates**: here $D$ learns more slowly than $G$, so that it does not win at once.
# %% [markdown] fr
# ## L’idée
#
# $D$ donne un **logit** $D(x)$, grand pour « réel » ; $\sigma(D(x))$ en est la probabilité. $G$ fait une image de $z \sim
# \mathcal N(0, I)$. Chacun a sa propre perte, avec $\mathrm{softplus}(a) = \log(1 + e^a) = -\log \sigma(-a)$ :
#
# $$L_D = \mathbb{E}_x\big[\mathrm{softplus}(-D(x))\big] + \mathbb{E}_z\big[\mathrm{softplus}(D(G(z)))\big]$$
#
# $$L_G = \mathbb{E}_z\big[\mathrm{softplus}(-D(G(z)))\big]$$
#
# $D$ diminue sa perte en disant *réel* des images réelles et *généré* des autres, $G$ en faisant dire *réel* à $D$. ($L_G$ est la
# forme non saturante : celle du jeu minimax, $-\mathrm{softplus}(D(G(z)))$, n’a presque pas de gradient tant que $D$ est sûr de
# lui.)
#
# Trois détails décident du succès :
#
# - **`detach`** : quand $D$ apprend, les images générées ne sont que des données. Rien ne remonte vers $G$.
# - **Le lissage unilatéral des étiquettes** : la cible de $D$ sur les images réelles est 0,9 au lieu de 1, pour qu’il ne devienne
#   pas de plus en plus sûr de lui. Sur les images générées, elle reste 0.
# - **Deux taux d’apprentissage** : ici, $D$ apprend plus lentement que $G$, pour ne pas gagner tout de suite.
# %%
Z, channels, side = 64, shape[0], shape[1] // 4

G = nn.Sequential(
    nn.Linear(Z, 64 * side * side), nn.BatchNorm1d(64 * side * side), nn.ReLU(), nn.Unflatten(1, (64, side, side)),
    nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.BatchNorm2d(32), nn.ReLU(),
    nn.ConvTranspose2d(32, channels, 4, 2, 1), nn.Sigmoid(),
).to(device)  # [N, Z] → [N, C, H, W]
D = nn.Sequential(
    nn.Conv2d(channels, 32, 4, 2, 1), nn.LeakyReLU(0.2),
    nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
    nn.Flatten(), nn.Linear(64 * side * side, 1), nn.Flatten(0),
).to(device)  # [N, C, H, W] → [N]
optimizer_G = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.5, 0.999))
optimizer_D = torch.optim.Adam(D.parameters(), lr=3e-4, betas=(0.5, 0.999))
SMOOTH = 0.9


def update_D(x):
    fake = G(torch.randn(len(x), Z, device=device)).detach()
    on_real, on_fake = D(x), D(fake)
    target = torch.full_like(on_real, SMOOTH)
    loss = F.binary_cross_entropy_with_logits(on_real, target) + F.softplus(on_fake).mean()  # L_D
    optimizer_D.zero_grad()
    loss.backward()
    optimizer_D.step()
    return on_real.mean().item(), on_fake.mean().item()


def update_G(count):
    loss = F.softplus(-D(G(torch.randn(count, Z, device=device)))).mean()  # L_G
    optimizer_G.zero_grad()
    loss.backward()
    optimizer_G.step()
# %% [markdown] en
# ## The training
#
# There is no loss that should fall: each network's loss depends on how good the other is. Two things are worth watching: the
# **images** of the same $z$, and $D$'s **logits** on images that it did not learn from: validation images and fresh fakes. Far
# apart means that $D$ tells them with ease; both near 0, that it guesses.
# %% [markdown] fr
# ## L’entraînement
#
# Aucune perte n’a à descendre : celle de chaque réseau dépend de la force de l’autre. Deux choses méritent d’être suivies : les
# **images** des mêmes $z$, et les **logits** de $D$ sur des images dont il n’a rien appris, celles de validation et d’autres,
# fraîchement générées. S’ils sont loin l’un de l’autre, $D$ les distingue sans peine ; si tous deux sont proches de 0, il répond
# au hasard.
# %%
EPOCHS = 1 if QUICK else 3 if DATA == "mnist" else 45
batches = DataLoader(TensorDataset(x_train), batch_size=64, shuffle=True, drop_last=True, num_workers=0)
z_fixed = torch.randn(20, Z, device=device)


@torch.no_grad()
def generated(z):
    G.eval()
    images = G(z)
    G.train()
    return images


real_logits, fake_logits, history = [], [], {0: to_bytes(generated(z_fixed))}
for epoch in tqdm(range(1, EPOCHS + 1)):
    for (x,) in batches:
        update_D(x.to(device))
        update_G(len(x))
    with torch.no_grad():
        real_logits.append(D(x_val[:500].to(device)).mean().item())
        fake_logits.append(D(generated(torch.randn(500, Z, device=device))).mean().item())
    history[epoch] = to_bytes(generated(z_fixed))
# %% en
REAL, FAKE, LOGIT = "validation images", "generated images", "mean logit of D"
SCORE = "In the end D gives validation images a logit of {real} on average, generated ones {fake}: {gap} apart."
WINS = "It tells the two with ease. That is usual, and no failure, as long as the images keep getting better."
EVEN = "It hardly tells them: with these two networks the game is nearly even."
# %% fr
REAL, FAKE, LOGIT = "images de validation", "images générées", "logit moyen de D"
SCORE = "À la fin, D donne aux images de validation un logit de {real} en moyenne, aux images générées {fake} : {gap} d’écart."
WINS = "Il distingue les deux sans peine. C’est courant, et ce n’est pas un échec tant que les images s’améliorent."
EVEN = "Il les distingue à peine : avec ces deux réseaux, la partie est presque égale."
# %%
curves({REAL: real_logits, FAKE: fake_logits}, y=LOGIT)
gap = real_logits[-1] - fake_logits[-1]
told = [number(value, LANG, 1) for value in (real_logits[-1], fake_logits[-1], gap)]
print(SCORE.format(real=told[0], fake=told[1], gap=told[2]))
print(WINS if gap > 1 else EVEN)
# %%
film(history)
# %% [markdown] en
# ## The same with latentlab
#
# latentlab's default GAN, `sn-gan`, plays the same game with other rules: a hinge loss, a discriminator with spectral
# normalisation, and a generator whose weights are averaged over the last thousands of images. Its length is given in updates, as
# many as ours had.
# %% [markdown] fr
# ## La même chose avec latentlab
#
# Le GAN par défaut de latentlab, `sn-gan`, joue le même jeu avec d’autres règles : une perte charnière (*hinge*), un
# discriminateur à normalisation spectrale, et un générateur dont les poids sont moyennés sur les derniers milliers d’images. Sa
# durée est donnée en mises à jour : autant que le nôtre.
# %%
STEPS = EPOCHS * len(batches)
run = ll.train("sn-gan", data=DATA, train_images=TRAIN_IMAGES, latent_dim=Z, steps=STEPS, device=device.type)
print(run)
show({"G": to_bytes(generated(z_fixed[:10])), "sn-gan": run.sample(10)})
# %% [markdown] en
# ## Which of the two is better?
#
# A GAN has no likelihood, so we look at its images. A small classifier turns every image into 128 **features**. On these we
# measure, for 1,000 images of each model:
#
# - the **Fréchet distance** between generated and real images: 0 would be alike in mean and covariance of the features;
# - the **recall**, the share of real images that have a generated one nearby: the variety. It falls when the GAN keeps to a few
#   images (**mode collapse**).
#
# The **floor** is what other real images reach against the same real ones: nobody can expect better. Each number has a 95 %
# interval. With 1,000 images the distance comes out too high, for both alike: it tells the two apart, and is no number to compare with
# those of papers.
# %% [markdown] fr
# ## Lequel des deux est le meilleur ?
#
# Un GAN n’a pas de vraisemblance : regardons donc ses images. Un petit classifieur fait de chaque image 128
# **caractéristiques**. On y mesure, pour 1 000 images de chaque modèle :
#
# - la **distance de Fréchet** entre images générées et images réelles : à 0, leurs caractéristiques auraient même moyenne et même
#   covariance ;
# - le **rappel**, la part des images réelles près desquelles se trouve une image générée : la variété. Il baisse quand le GAN s’en
#   tient à quelques images (**effondrement des modes**).
#
# Le **plancher** est ce que d’autres images réelles obtiennent face aux mêmes images réelles : nul ne peut espérer mieux. Chaque
# nombre a un intervalle à 95 %. Avec 1 000 images, la distance est trop élevée, pour les deux de la même façon : elle départage les deux, mais ne se
# compare pas à celles des articles.
# %% en
MEASURES = {"frechet": ("Fréchet distance", "lower", False), "recall": ("recall", "higher", True)}
NAMES = ("ours", "latentlab's")
LINE = "{measure}: ours {ours}, latentlab's {theirs}; floor {floor} (the {better}, the better)."
CLEAR = "  The intervals do not touch: by this measure {who} is better."
UNCLEAR = "  The intervals overlap: this many images do not decide."
# %% fr
MEASURES = {"frechet": ("Distance de Fréchet", "bas", False), "recall": ("Rappel", "haut", True)}
NAMES = ("le nôtre", "celui de latentlab")
LINE = "{measure} : le nôtre {ours}, latentlab {theirs} ; plancher {floor} (le plus {better} est le meilleur)."
CLEAR = "  Les intervalles ne se touchent pas : à cette aune, le meilleur est {who}."
UNCLEAR = "  Les intervalles se recouvrent : ce nombre d’images ne permet pas de trancher."
# %%
COUNT = 60 if QUICK else 1000
extractors = "random-convolutions" if QUICK else None
fakes = to_bytes(generated(torch.randn(COUNT, Z, device=device)))
scores = [
    ll.measure(fakes, data=run.config.data, extractors=extractors)["scores"],
    run.evaluate(samples=COUNT, extractors=extractors)["scores"],
]


def written(score):
    low, high = score["ci95"]
    return f"{significant(score['value'], LANG)} ({significant(low, LANG)} … {significant(high, LANG)})"


for name, (measure, better, larger) in MEASURES.items():
    ours, theirs = (score[name] for score in scores)
    told = {"measure": measure, "better": better, "floor": significant(theirs["floor"], LANG)}
    print(LINE.format(ours=written(ours), theirs=written(theirs), **told))
    apart = ours["ci95"][0] > theirs["ci95"][1] or theirs["ci95"][0] > ours["ci95"][1]
    print(CLEAR.format(who=NAMES[(theirs["value"] > ours["value"]) == larger]) if apart else UNCLEAR)
# %% [markdown] en
# One seed each: another one may give other numbers. `latentlab sweep sn-gan --seeds 5` tells how much they vary.
#
# ## A latent space without an encoder
#
# No image has a place here, so the map is a plane of two random directions. **Drag the ring**: digits pass into each other
# without a jump. Neighbouring $z$ give similar images, although nobody asked for it.
# %% [markdown] fr
# Une seule graine pour chacun : une autre peut donner d’autres nombres. `latentlab sweep sn-gan --seeds 5` dit de combien ils
# varient.
#
# ## Un espace latent sans encodeur
#
# Ici, aucune image n’a de place : la carte est un plan de deux directions tirées au hasard. **Faites glisser l’anneau** : les
# chiffres passent de l’un à l’autre sans saut. Des $z$ voisins donnent des images semblables, bien que personne ne l’ait demandé.
# %%
run.explore(lang=LANG)
# %%
show({"0 → 1": run.interpolate(0, 1, 10), "2 → 3": run.interpolate(2, 3, 10)})
# %% [markdown] en
# ## Exercises
#
# 1. Take `.detach()` away, and look at the gradients: `G[0].weight.grad` after `update_D`. Why does the training come out the same
#    all the same? (`update_G` begins by `zero_grad`.)
# 2. Set $D$'s learning rate to $10^{-2}$. What do the logits say, what the images?
# 3. Smooth the target of generated images too (0.1 instead of 0). What does $D$ now ask of $G$?
# 4. **Write it yourself**, and be told what is wrong:
#
#    ```
#    latentlab exercise generator-discriminator --out my_networks.py
#    latentlab exercise gan-step --out my_gan.py
#    latentlab check my_gan.py
#    ```
#
# The lab's questions: `latentlab question encoder-vs-discriminator`, `latentlab question gan-stability`.
# %% [markdown] fr
# ## Exercices
#
# 1. Supprimez `.detach()`, et regardez les gradients : `G[0].weight.grad` après `update_D`. Pourquoi l’entraînement donne-t-il
#    tout de même le même résultat ? (`update_G` commence par `zero_grad`.)
# 2. Donnez à $D$ un taux d’apprentissage de $10^{-2}$. Que disent les logits ? Et les images ?
# 3. Lissez aussi la cible des images générées (0,1 au lieu de 0). Que demande maintenant $D$ à $G$ ?
# 4. **Écrivez-le vous-même**, et faites-vous dire ce qui n’y va pas :
#
#    ```
#    latentlab exercise generator-discriminator --out mes_reseaux.py --lang fr
#    latentlab exercise gan-step --out mon_gan.py --lang fr
#    latentlab check mon_gan.py
#    ```
#
# Les questions du lab : `latentlab question encoder-vs-discriminator`, `latentlab question gan-stability`.
