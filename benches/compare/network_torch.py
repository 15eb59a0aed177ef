"""Makes one network of torchvision or timm with seeded weights: NAME.onnx and its golden file NAME.npz.

Runs in the environment of requirements-torch.txt. The ONNX file keeps every batch normalisation.
"""

import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import seeded
import torch

OPSET = 17


def constructed(framework: str, constructor: str) -> torch.nn.Module:
    if framework == "timm":
        import timm

        return timm.create_model(constructor, pretrained=False)
    import torchvision

    return getattr(torchvision.models, constructor)(weights=None)


def randomise(name: str, model: torch.nn.Module, calibration: np.ndarray) -> None:
    norms = {}
    for layer_name, layer in model.named_modules():
        rng = seeded.generator(name, layer_name)
        if isinstance(layer, torch.nn.BatchNorm2d):
            norms[layer_name] = layer
            assign(layer.weight, seeded.gamma(rng, tuple(layer.weight.shape)))
            assign(layer.bias, seeded.beta(rng, tuple(layer.bias.shape)))
        elif isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            shape = tuple(layer.weight.shape)
            assign(layer.weight, seeded.kernel(rng, shape, int(np.prod(shape[1:]))))
            if layer.bias is not None:
                assign(layer.bias, seeded.bias(rng, tuple(layer.bias.shape)))
    calibrate(name, model, norms, calibration)


def assign(parameter: torch.Tensor, value: np.ndarray) -> None:
    parameter.copy_(torch.from_numpy(value))


def calibrate(name: str, model: torch.nn.Module, norms: dict[str, torch.nn.BatchNorm2d],
              calibration: np.ndarray) -> None:
    """Gives each batch normalisation statistics near those of what it sees, layers before it having theirs."""

    def adapt(layer: torch.nn.BatchNorm2d, given: tuple[torch.Tensor], layer_name: str) -> None:
        variance, mean = torch.var_mean(given[0], dim=(0, 2, 3), correction=0)
        rng = seeded.generator(name, layer_name, "statistics")
        for target, value in zip((layer.running_mean, layer.running_var),
                                 seeded.statistics(rng, mean.numpy(), variance.numpy()), strict=True):
            assign(target, value)

    hooks = [layer.register_forward_pre_hook(partial(adapt, layer_name=layer_name))
             for layer_name, layer in norms.items()]
    model(torch.from_numpy(calibration))
    for hook in hooks:
        hook.remove()


def save_onnx(model: torch.nn.Module, image: torch.Tensor, path: Path) -> None:
    batch = {0: "batch"}
    names = {"input_names": ["image"], "output_names": ["logits"]}
    # The exporter that traces leaves batch normalisations as they are when it is told to preserve modes.
    kept = {"do_constant_folding": False, "training": torch.onnx.TrainingMode.PRESERVE}
    torch.onnx.export(model, (image,), path, dynamo=False, opset_version=OPSET,
                      dynamic_axes={"image": batch, "logits": batch}, **names, **kept)


@torch.no_grad()
def main(framework: str, constructor: str, size: int, name: str, folder: Path) -> None:
    model = constructed(framework, constructor).eval()
    randomise(name, model, seeded.images(name, "calibration", seeded.CALIBRATION_IMAGES, size, -1, 1))
    image = seeded.images(name, "golden", seeded.GOLDEN_IMAGES, size, -1, 1)
    output = model(torch.from_numpy(image)).numpy()
    with warnings.catch_warnings(action="ignore"):
        save_onnx(model, torch.from_numpy(image), folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", input=image, output=output)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], Path(sys.argv[5]))
