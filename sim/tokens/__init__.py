"""Replies token by token, with noise: exact Gumbel-max abduction for a model whose laws can be read.

A reply is a chain of choices, one a token, each from the model's law given all tokens before it, shaped by the
request's sampling parameters, which are part of the mechanism. The noise at a position of a site is keyed by
(seed, site, position, token) and never stored. Without a recorded reply it is drawn from its prior. With one, the
recorded request's law is read at each recorded position with the recorded tokens before it, and the noise is drawn
from its posterior, the end of the text included; beyond, the prior holds (Chatzi et al., arXiv 2409.17027). So an
unchanged request gives the recorded reply under every seed, whoever sampled it, and a changed one keeps what its laws
let stay.

    requests   a request as tokens, shaping and limit; what it cannot hold is refused
    recorded   a recorded reply as tokens
    laws       the laws of next tokens, each asked for once, and as long as it takes
    sampler    `TokenSampler.reply`, and `TokenModel`: the same as a `ChatModel`
"""

from ifonly.sim.tokens.recorded import NotAbducted
from ifonly.sim.tokens.sampler import TokenModel, TokenSampler

__all__ = ["NotAbducted", "TokenModel", "TokenSampler"]
