"""Weights of transformers and timm in our encoder: the same tokens out, to 1e-4, from randomly initialised models."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import jepakit
from jepakit.cli.main import main
from jepakit.errors import CheckpointError, ConfigError, UsageError
from jepakit.export.adopt import adopt
from jepakit.export.foreign import Translated, translate
from jepakit.export.layouts import LAYOUTS
from jepakit.model.encoder import TransformerEncoder
from jepakit.plugin_host.loader import discover


def features(found: Translated, x: Tensor, *sizes: int) -> Tensor:
    """Tokens (B, N, D) through our encoder, the patch projection done by hand: x (B, C, …)."""
    encoder = TransformerEncoder(found.settings, axes=len(sizes)).eval()
    encoder.load_state_dict(dict(found.encoder))
    weight, bias = found.patch
    project = nn.functional.conv3d if x.ndim == 5 else nn.functional.conv2d
    tokens = project(x, weight, bias, stride=weight.shape[2:]).flatten(2).transpose(1, 2)
    coords = torch.from_numpy(np.indices(sizes, dtype=np.float32)).flatten(1).T
    with torch.no_grad():
        last: Tensor = encoder(tokens, coords[None].expand(len(x), -1, -1)).last
    return last


def shaken(model: nn.Module) -> nn.Module:
    """Every parameter moved, so that no zero bias and no unit norm hides a wrong name."""
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():
        parameter.data.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture
def transformers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """transformers, which imports torchaudio if it is there; wheels of that one for CUDA can't be imported without a GPU."""
    empty = ModuleType("torchaudio")
    empty.__spec__ = ModuleSpec("torchaudio", None)
    monkeypatch.setitem(sys.modules, "torchaudio", empty)
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("bias", [True, False])
def test_images_of_transformers(transformers: Any, tmp_path: Path, bias: bool) -> None:
    config = transformers.IJepaConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        image_size=24,
        patch_size=8,
        layer_norm_eps=1e-6,
        qkv_bias=bias,
    )
    model = shaken(transformers.IJepaModel(config))
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    model.save_pretrained(tmp_path)
    for tensors in (model.state_dict(), load_file(tmp_path / "model.safetensors")):
        ours = features(translate(tensors, heads=4), x, 3, 3)
        with torch.no_grad():
            torch.testing.assert_close(ours, model(x).last_hidden_state, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("width", [48, 40])  # head widths 12 and 10: with and without channels that are not turned
def test_videos_of_transformers(transformers: Any, width: int) -> None:
    config = transformers.VJEPA2Config(
        hidden_size=width, num_hidden_layers=2, num_attention_heads=4, mlp_ratio=2.0, crop_size=24, patch_size=8, frames_per_clip=4,
        tubelet_size=2, pred_hidden_size=24, pred_num_attention_heads=2, pred_num_hidden_layers=1,
    )  # fmt: skip
    model = shaken(transformers.VJEPA2Model(config))
    x = torch.randn(2, 4, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    found = translate(model.state_dict(), heads=4)
    assert (found.settings.positions, found.settings.mlp_ratio) == ("rotary-tiled", 2.0)
    with torch.no_grad():
        theirs = model(x, skip_predictor=True).last_hidden_state
    torch.testing.assert_close(features(found, x.transpose(1, 2), 2, 3, 3), theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"class_token": False}, {"reg_tokens": 3, "no_embed_class": True}, {"reg_tokens": 2}])
def test_plain_transformers_of_timm(options: dict[str, Any]) -> None:
    vit = pytest.importorskip("timm.models.vision_transformer", exc_type=ImportError)
    options = {"global_pool": "" if options.get("class_token") is False else "token", **options}
    model = shaken(vit.VisionTransformer(img_size=24, patch_size=8, embed_dim=32, depth=2, num_heads=4, num_classes=0, **options))
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    found = translate(model.state_dict(), heads=4)
    with torch.no_grad():
        theirs = model.forward_features(x)[:, model.num_prefix_tokens :]
    torch.testing.assert_close(features(found, x, 3, 3), theirs, atol=1e-4, rtol=1e-4)


class Plain(nn.Module):
    """A plain vision transformer under timm's names, written from its paper (arXiv 2010.11929): runs where timm can't be imported."""

    def __init__(self, width: int = 32, depth: int = 2, heads: int = 4, prefix: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.cls_token = nn.Parameter(torch.zeros(1, prefix, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 9 + prefix, width))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, 8, 8)})
        parts: list[Mapping[str, nn.Module]] = [
            {
                "norm1": nn.LayerNorm(width, eps=1e-6), "norm2": nn.LayerNorm(width, eps=1e-6),
                "attn": nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)}),
                "mlp": nn.ModuleDict({"fc1": nn.Linear(width, 2 * width), "fc2": nn.Linear(2 * width, width)}),
            }
            for _ in range(depth)
        ]  # fmt: skip
        self.blocks = nn.ModuleList(nn.ModuleDict(dict(part)) for part in parts)
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed["proj"](x).flatten(2).transpose(1, 2)
        x = torch.cat((self.cls_token.expand(len(x), -1, -1), x), dim=1) + self.pos_embed
        for part in self.blocks:
            assert isinstance(part, nn.ModuleDict)
            x = x + self._attend(part, part["norm1"](x))
            x = x + part["mlp"]["fc2"](nn.functional.gelu(part["mlp"]["fc1"](part["norm2"](x))))  # type: ignore[index]
        return self.norm(x)[:, self.cls_token.shape[1] :]

    def _attend(self, part: nn.ModuleDict, x: Tensor) -> Tensor:
        q, k, v = part["attn"]["qkv"](x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)  # type: ignore[index]
        weights = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).softmax(-1)
        out: Tensor = part["attn"]["proj"]((weights @ v).transpose(1, 2).flatten(2))  # type: ignore[index]
        return out


@pytest.mark.parametrize("prefix", [0, 1])
def test_plain_transformers_by_the_paper(prefix: int) -> None:
    model = shaken(Plain(prefix=prefix))
    x = torch.randn(2, 3, 24, 24, generator=torch.Generator().manual_seed(2))
    found = translate({f"module.{name}": tensor for name, tensor in model.state_dict().items()} | {"other": torch.zeros(1)}, heads=4)
    assert found.settings.registers == prefix
    with torch.no_grad():
        torch.testing.assert_close(features(found, x, 3, 3), model(x), atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    tensors = shaken(Plain()).state_dict()
    save_file(tensors, tmp_path / "a.safetensors")
    with pytest.raises(ConfigError, match="no layout that is known"):
        translate({"conv1.weight": torch.zeros(3)})
    with pytest.raises(ConfigError, match=r"parts that our encoder lacks: blocks\.0\.ls1\.gamma"):
        translate(tensors | {"blocks.0.ls1.gamma": torch.ones(32)})
    with pytest.raises(ConfigError, match=r"lack norm\.weight"):
        translate({name: tensor for name, tensor in tensors.items() if name != "norm.weight"})
    with pytest.raises(ConfigError, match="do not divide"):
        translate(tensors, heads=5)
    with pytest.raises(ConfigError, match="no square grid"):
        translate(tensors | {"pos_embed": torch.zeros(1, 8, 32)})
    assert len({layout.block + layout.qkv[0] for layout in LAYOUTS}) == len(LAYOUTS)


@pytest.fixture
def theirs(tmp_path: Path) -> tuple[Path, Plain]:
    """A folder as other programs leave it, and the model in it."""
    model = Plain()
    shaken(model)
    folder = tmp_path / "vit-tiny"
    folder.mkdir()
    save_file(model.state_dict(), folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": "vit", "num_attention_heads": 4}))
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.3]}))
    return folder, model


def test_an_imported_folder_gives_the_tokens_of_the_original(
    theirs: tuple[Path, Plain], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, model = theirs
    out = tmp_path / "ours"
    assert main(["import", str(folder), "--out", str(out), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["width"], said["depth"], said["heads"], said["patch"], said["mean"]) == (32, 2, 4, 8, [0.4, 0.5, 0.6])
    images = np.random.Generator(np.random.Philox(key=3)).integers(0, 256, (5, 3, 24, 24), dtype=np.uint8)
    mean, std = (torch.tensor(values)[:, None, None] for values in ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]))
    with torch.no_grad():
        expected = model((torch.from_numpy(images) / 255 - mean) / std)
    tokens = jepakit.load(out, level="token")(images)
    np.testing.assert_allclose(np.stack(tokens), expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(jepakit.load(out)(images), expected.mean(1).numpy(), atol=1e-4)


def test_what_can_not_be_imported(theirs: tuple[Path, Plain], tmp_path: Path) -> None:
    folder, _ = theirs
    host = discover()
    with pytest.raises(UsageError, match="is there already"):
        adopt(folder, "image", host, folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0.5], "image_std": [0.5]}))
    with pytest.raises(ConfigError, match="scales 1 channels"):
        adopt(folder, "image", host, tmp_path / "a")
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="never pickles"):
        adopt(folder, "image", host, tmp_path / "a")
    assert not (tmp_path / "a").exists()
