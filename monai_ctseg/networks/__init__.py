"""All of torch, MONAI and Ignite.

config, guards      a bundle's configs merged and run; foreign errors as refusals
weights             a file of weights into a network
transforms/         dictionary transforms, thin wrappers over pure functions; augmentations: the random ones
bundle_network      a bundle's network over whole scans; sliding_window: a volume through it
predict             load_network, predict
train               scans -> model.pt; training_cases: what it trains on
evaluate            dataset + weights -> scores
caches, disk_cache  prepared scans in memory, on disk or not at all
distributed         several processes
handlers/           Ignite handlers: checkpoints, history, scores, masks, pictures
"""
