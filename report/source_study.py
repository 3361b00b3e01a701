"""Facts that this study is laid beside: of the source study, and of the challenge with the same task.

The source is a student report of the Faculty of Mathematics and Physics, University of Ljubljana, December 2023.
These are other people's numbers, not results of this study, so they are the only ones that stand in code.
"""

PATIENTS = {"mild": 226, "severe": 226}

# Its learning rate of ResNet18 is printed as 50^-4 and read as 5e-4; CNN2's "0.5e^-3" as 5e-4.
HYPERPARAMETERS = {
    "DNN1": {"lr": 1e-3, "wd": 1e-3, "mp": 0.9},
    "DNN2": {"lr": 1e-5, "wd": 1e-4, "mp": 0.9},
    "CNN1": {"lr": 1e-3, "wd": 1e-3, "mp": 0.9},
    "CNN2": {"lr": 5e-4, "wd": 5e-4, "mp": 0.9},
    "ResNet18_nowig": {"lr": 1e-3, "wd": 1e-3, "mp": 0.8},
    "ResNet18": {"lr": 5e-4, "wd": 1e-4, "mp": 1.0},
}

# Its table 1; it does not say on which set the thresholds were chosen, and it lists DNN1 where its text picks DNN2.
THRESHOLDS = {
    "ResNet18og": {"f1": 0.227, "gmean": 0.227},
    "ResNet18": {"f1": 0.351, "gmean": 0.333},
    "ResNet18_nowig": {"f1": 0.306, "gmean": 0.306},
    "CNN1": {"f1": 0.0827, "gmean": 0.0986},
    "DNN1": {"f1": 0.526, "gmean": 0.557},
}

# The best AUC for severity in the final phase of STOIC2021 (Boulogne et al. 2024, arXiv:2306.10484).
STOIC2021_AUC = 0.815
