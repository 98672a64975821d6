"""The formulas of each question in the mathematical notation that matplotlib typesets, the same in every language.

What a formula says stands in `question.NAME.formula.N`, N from 1.
"""

from __future__ import annotations

FORMULAS: dict[str, tuple[str, ...]] = {
    "reparameterization": (
        r"\nabla_\phi\, \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] = \mathbb{E}_{\epsilon \sim \mathcal{N}(0, I)}\left[\nabla_\phi \log p_\theta(x \mid \mu_\phi(x) + \sigma_\phi(x) \odot \epsilon)\right]",
        r"\nabla_\phi\, \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] = \mathbb{E}_{q_\phi(z \mid x)}\left[(\log p_\theta(x \mid z) - b)\, \nabla_\phi \log q_\phi(z \mid x)\right]",
        r"\mathrm{ELBO}(x) = \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] - \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
    ),
    "kl": (
        r"\mathcal{L}_\beta(x) = \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \beta\, \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{KL} = \frac{1}{2} \sum_{j=1}^{Z} \left(\mu_j^2 + \sigma_j^2 - 1 - \log \sigma_j^2\right)",
        r"\mathbb{E}_x\, \mathrm{KL}(q(z \mid x)\,\Vert\,p(z)) = I(x; z) + \mathrm{KL}(q(z)\,\Vert\,p(z)),\qquad q(z) = \frac{1}{N} \sum_{n=1}^{N} q(z \mid x_n)",
    ),
    "latent-dim": (
        r"\mathrm{AE}:\quad \min_{\phi,\theta}\; -\log p_\theta(x \mid z),\qquad z = f_\phi(x)",
        r"\mathrm{VAE}:\quad \min_{\phi,\theta}\; \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \sum_{j=1}^{Z} \mathrm{KL}(q_\phi(z_j \mid x)\,\Vert\,p(z_j))",
        r"q_\phi(z_j \mid x) = \mathcal{N}(0, 1)\;\mathrm{for\ all}\;x\quad\Rightarrow\quad \mathrm{KL}_j = 0",
    ),
    "decoder-as-generator": (
        r"\mathrm{VAE}:\quad z \sim q_\phi(z \mid x),\qquad \min_{\theta,\phi}\; -\log p_\theta(x \mid z) + \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{GAN}:\quad z \sim p(z) = \mathcal{N}(0, I),\qquad \min_{\theta}\; -\mathbb{E}_z\, D(G_\theta(z))",
        r"\theta_0 = \theta_{\mathrm{VAE}},\qquad \frac{\Vert \theta_t - \theta_0 \Vert}{\Vert \theta_0 \Vert}",
    ),
    "encoder-vs-discriminator": (
        r"E_\phi:\; x \mapsto (\mu, \sigma^2),\qquad D_\psi:\; x \mapsto \ell \in \mathbb{R}",
        r"\min_{\phi,\theta}\; \mathbb{E}_{q_\phi(z \mid x)}\left[-\log p_\theta(x \mid z)\right] + \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\min_G \max_D\; \mathbb{E}_x \log \sigma(D(x)) + \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
        r"D^*(x) = \log \frac{p_{\mathrm{data}}(x)}{p_G(x)}",
    ),
    "ae-vs-vae-vs-gan": (
        r"\mathrm{AE}:\quad \min_{\phi,\theta}\; \mathbb{E}_x\, d(x, g_\theta(f_\phi(x)))",
        r"\mathrm{VAE}:\quad \log p_\theta(x) \geq \mathbb{E}_{q_\phi(z \mid x)}\left[\log p_\theta(x \mid z)\right] - \mathrm{KL}(q_\phi(z \mid x)\,\Vert\,p(z))",
        r"\mathrm{GAN}:\quad \min_G \max_D\; \mathbb{E}_x \log \sigma(D(x)) + \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
    ),
    "gan-stability": (
        r"\mathcal{L}_G = -\mathbb{E}_z \log \sigma(D(G(z))),\qquad \frac{\partial \mathcal{L}_G}{\partial D(G(z))} = -\sigma(-D(G(z)))",
        r"\mathcal{L}_D = -\mathbb{E}_x\left[\,0.9\,\log \sigma(D(x)) + 0.1\,\log (1 - \sigma(D(x)))\,\right] - \mathbb{E}_z \log (1 - \sigma(D(G(z))))",
        r"D^*(x) = \log \frac{0.9\,p_{\mathrm{data}}(x)}{0.1\,p_{\mathrm{data}}(x) + p_G(x)}",
        r"\bar W = \frac{W}{\sigma_{\max}(W)}\quad\Rightarrow\quad |D(x) - D(y)| \leq L\,\Vert x - y \Vert",
    ),
}
