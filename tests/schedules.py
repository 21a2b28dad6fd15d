"""Every schedule, made by a function of the library's lr_scheduler and an optimizer of two groups."""


def chain(make):
    return lambda s, o: s.ChainedScheduler(make(s, o))


def sequence(make, milestones):
    return lambda s, o: s.SequentialLR(o, make(s, o), milestones)


SHARED = {  # with PyTorch, stepped without arguments
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch),
    "LambdaLR-each": lambda s, o: s.LambdaLR(o, [lambda e: 1 / (1 + e), lambda e: 0.5 + 0.1 * (e % 3)]),
    "MultiplicativeLR": lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9 + 0.01 * (epoch % 5)),
    "StepLR": lambda s, o: s.StepLR(o, 7, 0.3),
    "StepLR-1": lambda s, o: s.StepLR(o, step_size=1),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [3, 10, 10, 31], gamma=0.5),
    "MultiStepLR-0": lambda s, o: s.MultiStepLR(o, [0, 2]),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.93),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.25, 12),
    "LinearLR": lambda s, o: s.LinearLR(o),
    "LinearLR-down": lambda s, o: s.LinearLR(o, 1.0, 0.0, 20),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 40, 2.0),
    "PolynomialLR-default": lambda s, o: s.PolynomialLR(o),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 9, 0.001),
    "CosineAnnealingLR-long": lambda s, o: s.CosineAnnealingLR(o, T_max=50),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 7),
    "CosineAnnealingWarmRestarts-mult": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, 2, 0.001),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=60),
    "OneCycleLR-linear": lambda s, o: s.OneCycleLR(o, [1.0, 0.5], epochs=10, steps_per_epoch=6, pct_start=0.2,
                                                   anneal_strategy="linear", base_momentum=0.7),
    "OneCycleLR-three": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=55, three_phase=True, div_factor=10.0),
    "OneCycleLR-still": lambda s, o: s.OneCycleLR(o, 1.0, total_steps=55, cycle_momentum=False, pct_start=0.0),
    "ChainedScheduler": chain(lambda s, o: [s.ConstantLR(o, 0.1, 20), s.ExponentialLR(o, 0.9), s.StepLR(o, 8)]),
    "SequentialLR": sequence(lambda s, o: [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 45)], [5]),
    "SequentialLR-three": sequence(
        lambda s, o: [s.ConstantLR(o, 0.1, 3), s.ExponentialLR(o, 0.9), s.StepLR(o, 4, 0.5)], [6, 21]),
    "SequentialLR-restarts": sequence(
        lambda s, o: [s.LinearLR(o, 0.2, total_iters=4), s.CosineAnnealingWarmRestarts(o, 5, 2)], [4]),
    "SequentialLR-chained": sequence(
        lambda s, o: [s.ChainedScheduler([s.ExponentialLR(o, 0.9), s.StepLR(o, 3)]), s.PolynomialLR(o, 30)], [9]),
}  # fmt: skip
OWN = {
    "GradientNormLR": lambda s, o: s.GradientNormLR(o),
    "GradientNormLR-compounding": lambda s, o: s.GradientNormLR(o, compounding=True),
    "EpochDecayLR": lambda s, o: s.EpochDecayLR(o, 45),
    "EpochDecayLR-compounding": lambda s, o: s.EpochDecayLR(o, epochs=45, compounding=True),
}
PLATEAUS = [
    {},
    {"patience": 2, "factor": 0.5},
    {"mode": "max", "patience": 1, "cooldown": 3},
    {"threshold": 0.2, "threshold_mode": "abs", "patience": 0, "min_lr": [0.1, 0.001]},
    {"mode": "max", "threshold": 0.05, "threshold_mode": "abs", "patience": 3, "min_lr": 0.01},
    {"patience": 0, "eps": 0.3},
]
METRIC = {"ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=2, min_lr=[0.0, 0.001])}
ALL = {**SHARED, **OWN, **METRIC}


def advance(scheduler, metric):
    scheduler.step(*([metric] if type(scheduler).__name__ in METRIC else []))
