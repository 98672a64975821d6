# %% [markdown] en
# # 4 · From the VAE to the GAN
#
# A VAE's decoder and a GAN's generator have the same job: make an image of $z \sim \mathcal N(0, I)$. So why should a generator
# begin with random weights? Let us **turn the decoder of a trained VAE into the generator of a GAN**, and measure whether the
# head start lasts.
#
# You will
#
# 1. train a small VAE, and copy its decoder into a generator;
# 2. play the same game twice at the same price, from a **cold** start (random weights) and from a **warm** one (the decoder);
# 3. do it with latentlab, and see VAE, GAN and VAE → GAN decode the same $z$.
# %% [markdown] fr
# # 4 · Du VAE au GAN
#
# Le décodeur d’un VAE et le générateur d’un GAN font le même travail : une image à partir de $z \sim \mathcal N(0, I)$. Pourquoi
# un générateur partirait-il alors de poids aléatoires ? **Faisons du décodeur d’un VAE entraîné le générateur d’un GAN**, et
# mesurons si son avance dure.
#
# Vous allez
#
# 1. entraîner un petit VAE, et recopier son décodeur dans un générateur ;
# 2. jouer deux fois la même partie au même prix, avec un départ **à froid** (des poids aléatoires) et un départ **à chaud** (le
#    décodeur) ;
# 3. faire de même avec latentlab, et voir VAE, GAN et VAE → GAN décoder le même $z$.
# %% include _setup
# %% include _data
# %% [markdown] en
# ## First the VAE
#
# As in notebook 2, with a decoder of transposed convolutions, which a GAN can use too. It gives logits; the image is
# $\sigma(g(z))$.
# %% [markdown] fr
# ## D’abord le VAE
#
# Comme au notebook 2, avec un décodeur à convolutions transposées, qui convient aussi à un GAN. Il donne des logits ; l’image est
# $\sigma(g(z))$.
# %%
Z, channels, side = 16, shape[0], shape[1] // 4


def new_decoder():
    return nn.Sequential(
        nn.Linear(Z, 64 * side * side), nn.ELU(), nn.Unflatten(1, (64, side, side)),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ELU(), nn.ConvTranspose2d(32, channels, 4, 2, 1),
    ).to(device)  # [N, Z] → [N, C, H, W]


encoder = nn.Sequential(
    nn.Conv2d(channels, 32, 4, 2, 1), nn.ELU(), nn.Conv2d(32, 64, 4, 2, 1), nn.ELU(),
    nn.Flatten(), nn.Linear(64 * side * side, 2 * Z),
).to(device)
g = new_decoder()


def negative_elbo(x):
    mu, log_var = encoder(x).chunk(2, dim=1)
    z = mu + (0.5 * log_var).exp() * torch.randn_like(mu)  # z = μ + σ ⊙ ε
    logits = g(z)
    reconstruction = F.binary_cross_entropy_with_logits(logits, x, reduction="none").flatten(1).sum(1)  # −log p(x|z)
    return reconstruction + 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)  # + KL(q(z|x) ‖ p(z))


VAE_EPOCHS = 1 if QUICK else 2 if DATA == "mnist" else 25
optimizer = torch.optim.Adam([*encoder.parameters(), *g.parameters()], lr=1e-3)
batches = DataLoader(TensorDataset(x_train), batch_size=64, shuffle=True, drop_last=True, num_workers=0)
curve = []
for epoch in tqdm(range(1, VAE_EPOCHS + 1)):
    for (x,) in batches:
        optimizer.zero_grad()
        negative_elbo(x.to(device)).mean().backward()
        optimizer.step()
    with torch.no_grad():
        curve.append(negative_elbo(x_val.to(device)).mean().item())
# %% en
TOLD = "The VAE's negative ELBO on validation images: {values} nats."
# %% fr
TOLD = "ELBO négative du VAE sur les images de validation : {values} nats."
# %%
print(TOLD.format(values=" → ".join(number(value, LANG, 1) for value in curve[:: max(1, len(curve) // 4)])))
# %% [markdown] en
# ## Two starts, one game
#
# The one line that matters is `copy.deepcopy(g)`. Both generators meet a discriminator with **the same** first weights, see the
# same batches in the same order, and get the same $z$: only their own first weights differ.
#
# What becomes of the encoder? It is not needed any more. Its place beside the decoder is taken by the discriminator, which reads
# images too, but asks another question: not *which code is this image?* but *is this image real?*
# %% [markdown] fr
# ## Deux départs, une partie
#
# La ligne qui compte est `copy.deepcopy(g)`. Les deux générateurs rencontrent un discriminateur aux **mêmes** poids initiaux,
# voient les mêmes lots dans le même ordre, et reçoivent les mêmes $z$ : seuls diffèrent leurs propres poids initiaux.
#
# Que devient l’encodeur ? On n’en a plus besoin. Sa place auprès du décodeur est prise par le discriminateur, qui lit lui aussi
# des images, mais pose une autre question : non pas *quel est le code de cette image ?*, mais *cette image est-elle réelle ?*
# %%
import copy

z_fixed = torch.randn(20, Z, device=device)
EPOCHS = 1 if QUICK else 2 if DATA == "mnist" else 25


def play(g, D):
    G = lambda z: torch.sigmoid(g(z))
    optimizer_G = torch.optim.Adam(g.parameters(), lr=1e-3, betas=(0.5, 0.999))
    optimizer_D = torch.optim.Adam(D.parameters(), lr=3e-4, betas=(0.5, 0.999))
    torch.manual_seed(1)
    history = {0: to_bytes(G(z_fixed))}
    for epoch in tqdm(range(1, EPOCHS + 1)):
        for (x,) in batches:
            real, fake = D(x.to(device)), D(G(torch.randn(len(x), Z, device=device)).detach())
            target = torch.full_like(real, 0.9)
            loss_D = F.binary_cross_entropy_with_logits(real, target) + F.softplus(fake).mean()  # L_D
            optimizer_D.zero_grad()
            loss_D.backward()
            optimizer_D.step()
            loss_G = F.softplus(-D(G(torch.randn(len(x), Z, device=device)))).mean()  # L_G
            optimizer_G.zero_grad()
            loss_G.backward()
            optimizer_G.step()
        history[epoch] = to_bytes(G(z_fixed))
    return history


D = nn.Sequential(
    nn.Conv2d(channels, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 64, 4, 2, 1), nn.LeakyReLU(0.2),
    nn.Flatten(), nn.Linear(64 * side * side, 1), nn.Flatten(0),
).to(device)  # [N, C, H, W] → [N]
cold, warm = new_decoder(), copy.deepcopy(g)
history_cold, history_warm = play(cold, copy.deepcopy(D)), play(warm, copy.deepcopy(D))
# %% [markdown] en
# Cold, then warm. At epoch 0 the warm generator **is** the VAE's decoder, with its soft digits. The softness is what gives them
# away to the discriminator: watch what becomes of it.
# %% [markdown] fr
# À froid, puis à chaud. À l’époque 0, le générateur à chaud **est** le décodeur du VAE, avec ses chiffres flous. C’est ce flou qui
# les trahit aux yeux du discriminateur : voyez ce qu’il devient.
# %%
film(history_cold)
film(history_warm)
# %% [markdown] en
# ## Does the head start last?
#
# We measure the **Fréchet distance** between generated and real images (of features of a small classifier, see notebook 5; the
# lower, the better), for the VAE's decoder itself and for both generators at the end.
# %% [markdown] fr
# ## L’avance dure-t-elle ?
#
# On mesure la **distance de Fréchet** entre images générées et images réelles (sur les caractéristiques d’un petit classifieur,
# voir le notebook 5 ; plus elle est basse, mieux c’est), pour le décodeur du VAE lui-même et pour les deux générateurs à la fin.
# %% en
NAMES = {"vae": "VAE's decoder", "cold": "cold start", "warm": "warm start"}
LINE = "{name}: Fréchet distance {value}, 95 % interval {low} to {high}"
GAIN = "The warm start ends lower than the cold one, and the intervals do not touch: here the head start lasted."
LOSS = "The cold start ends lower than the warm one, and the intervals do not touch: here the head start did not last."
NONE = "The intervals of cold and warm overlap: at this length there is no difference to be seen."
CHANGE = "What the game made of the decoder: a distance of {after} instead of {before}. {verdict}"
VERDICTS = ("It has become a better generator.", "It has become a worse generator.", "The intervals overlap: no clear change.")
# %% fr
NAMES = {"vae": "Décodeur du VAE", "cold": "Départ à froid", "warm": "Départ à chaud"}
LINE = "{name} : distance de Fréchet {value}, intervalle à 95 % de {low} à {high}"
GAIN = "Le départ à chaud finit plus bas que le départ à froid, et les intervalles ne se touchent pas : ici, l’avance a duré."
LOSS = "Le départ à froid finit plus bas que le départ à chaud, et les intervalles ne se touchent pas : ici, l’avance n’a pas duré."
NONE = "Les intervalles du départ à froid et du départ à chaud se recouvrent : à cette durée, on ne voit pas de différence."
CHANGE = "Ce que la partie a fait du décodeur : une distance de {after} au lieu de {before}. {verdict}"
VERDICTS = ("Il est devenu un meilleur générateur.", "Il est devenu un moins bon générateur.", "Les intervalles se recouvrent : pas de changement net.")
# %%
COUNT = 60 if QUICK else 1000
extractors = "random-convolutions" if QUICK else None
config = ll.preset("sn-gan", data=DATA, train_images=TRAIN_IMAGES).data
torch.manual_seed(2)
z_many = torch.randn(COUNT, Z, device=device)
found = {}
for name, network in {"vae": g, "cold": cold, "warm": warm}.items():
    images = to_bytes(torch.sigmoid(network(z_many)))
    found[name] = ll.measure(images, data=config, extractors=extractors)["scores"]["frechet"]
    low, high = found[name]["ci95"]
    value = (significant(one, LANG) for one in (found[name]["value"], low, high))
    print(LINE.format(name=NAMES[name], **dict(zip(("value", "low", "high"), value, strict=True))))



def judged(one, other, verdicts):
    (low, high), (other_low, other_high) = found[one]["ci95"], found[other]["ci95"]
    return verdicts[0 if high < other_low else 1 if other_high < low else 2]


print(judged("warm", "cold", (GAIN, LOSS, NONE)))
before, after = (significant(found[name]["value"], LANG) for name in ("vae", "warm"))
print(CHANGE.format(before=before, after=after, verdict=judged("warm", "vae", VERDICTS)))
# %% [markdown] en
# That is one seed and one length; the verdict may turn with either. `latentlab experiment vae-to-gan` asks the same question
# properly: several seeds, equal budgets (the VAE's own training counts), and a generator that is frozen at first.
#
# ## The same with latentlab
#
# `gan-from-vae` takes a run's decoder as its generator. The explorer then shows all three at the same $z$.
# %% [markdown] fr
# Cela ne vaut que pour une graine et une durée ; le verdict peut changer avec l’une ou l’autre. `latentlab experiment
# vae-to-gan` pose la même question dans les règles : plusieurs graines, des budgets égaux (l’entraînement du VAE compte), et un
# générateur d’abord figé.
#
# ## La même chose avec latentlab
#
# `gan-from-vae` prend le décodeur d’un VAE pour générateur. L’explorateur montre ensuite les trois au même $z$.
# %%
options = {"data": DATA, "train_images": TRAIN_IMAGES, "latent_dim": Z, "device": device.type}
STEPS = 4 if QUICK else 400
vae = ll.train("conv-vae", steps=4 if QUICK else 300, **options)
gan = ll.train("sn-gan", steps=STEPS, **options)
both = ll.train("gan-from-vae", generator_from=str(vae.path), steps=STEPS, **options)
show({"VAE": vae.sample(10), "GAN": gan.sample(10), "VAE → GAN": both.sample(10)})
# %% [markdown] en
# **Drag the ring.** Do VAE and VAE → GAN still draw the same digit at the same place? No loss asks the generator to keep the map
# that the decoder learned. And the GAN that began with random weights?
# %% [markdown] fr
# **Faites glisser l’anneau.** Le VAE et le GAN parti du VAE dessinent-ils encore le même chiffre au même endroit ? Aucune perte ne
# demande au générateur de garder la carte que le décodeur avait apprise. Et le GAN parti de poids aléatoires ?
# %%
ll.explore(vae, gan, both, lang=LANG)
# %% en
KEPT = "At the same {n} z the images of VAE and VAE → GAN are {near} apart (root mean square per pixel, 0 to 1), those of VAE and GAN {far}."
YES, NO = "The warm generator has kept part of the decoder's map.", "Nothing of the decoder's map is left, by this measure."
# %% fr
KEPT = "Aux {n} mêmes z, les images du VAE et du GAN parti du VAE diffèrent de {near} (moyenne quadratique par pixel, de 0 à 1), celles du VAE et du GAN de {far}."
YES, NO = "Le générateur à chaud a gardé une partie de la carte du décodeur.", "À cette aune, il ne reste rien de la carte du décodeur."
# %%
N = 200
first, other, own = (run.sample(N, seed=1).astype(np.float64) / 255 for run in (vae, gan, both))
near, far = (np.sqrt(((first - images) ** 2).mean((1, 2, 3))) for images in (own, other))
gain, stderr = paired(far, near)
print(KEPT.format(n=N, near=number(near.mean(), LANG, 2), far=number(far.mean(), LANG, 2)))
print(YES if gain > 2 * stderr else NO)
# %% [markdown] en
# ## Exercises
#
# 1. Train the VAE for one epoch only, then for ten. Does a better decoder make a better start?
# 2. Freeze the warm generator during the first epoch, so that only $D$ learns. Why might that help?
# 3. Is the comparison fair? Count the VAE's training too: give the cold start as many epochs more.
# 4. **Write it yourself**, and be told what is wrong:
#
#    ```
#    latentlab exercise decoder-as-generator --out my_gan.py
#    latentlab check my_gan.py
#    ```
#
# The lab's questions: `latentlab question decoder-as-generator`, `latentlab question encoder-vs-discriminator`.
# %% [markdown] fr
# ## Exercices
#
# 1. N’entraînez le VAE que pendant une époque, puis pendant dix. Un meilleur décodeur donne-t-il un meilleur départ ?
# 2. Figez le générateur à chaud pendant la première époque : seul $D$ apprend. En quoi cela pourrait-il aider ?
# 3. La comparaison est-elle équitable ? Comptez aussi l’entraînement du VAE : accordez autant d’époques de plus au départ à froid.
# 4. **Écrivez-le vous-même**, et faites-vous dire ce qui n’y va pas :
#
#    ```
#    latentlab exercise decoder-as-generator --out mon_gan.py --lang fr
#    latentlab check mon_gan.py
#    ```
#
# Les questions du lab : `latentlab question decoder-as-generator`, `latentlab question encoder-vs-discriminator`.
