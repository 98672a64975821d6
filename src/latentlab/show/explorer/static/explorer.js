/*
 * The explorer: trained networks that run in a browser, and what a reader drags in.
 *
 *   const decoder = await open({ description, weights });            // as latentlab.show.explorer writes them
 *   const handle = await explore(root, content, words, { lang });    // content and words as explorer/content.py writes them
 *   other.restore(handle.state());                                   // the same view, in another language
 *
 * A code is a point of one model's latent space, z the standard normal input that all models share: an autoencoder's code is
 * the mean of its prior + z times a matrix, every other model's code is z itself. Letters: N images, Z latent units, K classes.
 *
 * What is exported here is public. `module` of latentlab.show.explorer joins all that this file needs into one.
 */
export { network, open } from "./network.js";
export { explore } from "./explore.js";
