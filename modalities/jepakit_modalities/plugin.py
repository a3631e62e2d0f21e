"""Registers the kinds of data that ship with jepakit, through the same hooks as any outside plugin."""

from __future__ import annotations

from jepakit.sdk import API as API
from jepakit.sdk import CommandSpec, ComponentSpec, QualitySet, RecipeSpec, hookimpl

AUDIO = "jepakit_modalities.audio"
IMAGE = "jepakit_modalities.image"
POINTS = "jepakit_modalities.pointcloud"
TABLE = "jepakit_modalities.table"
SERIES = "jepakit_modalities.timeseries"
VIDEO = "jepakit_modalities.video"


@hookimpl
def register_components() -> list[ComponentSpec]:
    """What each kind of data is, how it becomes tokens, how it is augmented."""
    return [
        ComponentSpec(
            "modality", "image", f"{IMAGE}.modality:ImageModality", summary="2-D images of any channel count, uint8, uint16 or float"
        ),
        ComponentSpec(
            "tokenizer",
            "image-patch",
            f"{IMAGE}.tokenizer:PatchTokenizer",
            f"{IMAGE}.tokenizer:PatchSettings",
            "square patches, one token each",
        ),
        ComponentSpec(
            "modality", "table", f"{TABLE}.modality:TableModality", summary="rows of csv, Parquet or npz tables, any column types"
        ),
        ComponentSpec("view", "image-crop", f"{IMAGE}.views:CropView", f"{IMAGE}.views:CropSettings", "random resized crop and flip"),
        ComponentSpec("modality", "pointcloud", f"{POINTS}.modality:PointCloudModality", summary="points with or without features"),
        ComponentSpec(
            "view", "pointcloud-turn", f"{POINTS}.views:CloudView", f"{POINTS}.views:CloudViewSettings", "fewer points, turned, stretched"
        ),
        ComponentSpec(
            "modality",
            "audio",
            f"{AUDIO}.modality:AudioModality",
            summary="sound files of any rate, channels and length",
            requires=("soundfile", "torchaudio"),
            extra="audio",
        ),
        ComponentSpec(
            "tokenizer",
            "audio-log-mel",
            f"{AUDIO}.tokenizer:LogMelTokenizer",
            f"{AUDIO}.tokenizer:LogMelSettings",
            "patches of a log-mel spectrogram",
            requires=("torchaudio",),
            extra="audio",
        ),
        ComponentSpec("view", "audio-clip", f"{AUDIO}.views:ClipView", f"{AUDIO}.views:ClipViewSettings", "crop, shift, speed, loudness"),
        ComponentSpec(
            "modality", "video", f"{VIDEO}.modality:VideoModality", summary="clips of films: video files, folders of frames, arrays"
        ),
        ComponentSpec(
            "tokenizer",
            "video-tubelet",
            f"{VIDEO}.tokenizer:TubeletTokenizer",
            f"{VIDEO}.tokenizer:TubeletSettings",
            "boxes of pixels over several frames",
        ),
        ComponentSpec(
            "view", "video-crop", f"{VIDEO}.views:ClipCropView", f"{VIDEO}.views:ClipCropSettings", "one random window through all frames"
        ),
        *_of_series(),
    ]


def _of_series() -> list[ComponentSpec]:
    return [
        ComponentSpec(
            "modality", "timeseries", f"{SERIES}.modality:TimeSeriesModality", summary="series of any length, rate and number of channels"
        ),
        ComponentSpec(
            "tokenizer",
            "series-patch",
            f"{SERIES}.tokenizer:SeriesTokenizer",
            f"{SERIES}.tokenizer:SeriesSettings",
            "patches along time, of all channels or of each",
        ),
        ComponentSpec(
            "view", "series-jitter", f"{SERIES}.views:JitterView", f"{SERIES}.views:JitterSettings", "a shifted, scaled window with noise"
        ),
        ComponentSpec(
            "modality", "cartpole", f"{SERIES}.control:CartPoleModality", summary="simulated pictures of a cart-pole, forces beside"
        ),
        ComponentSpec(
            "view", "cartpole-ahead", f"{SERIES}.control:AheadView", f"{SERIES}.control:AheadSettings", "pictures now and some steps later"
        ),
    ]


TINY_IMAGENET = QualitySet(
    "tiny_imagenet20",
    "$JEPAKIT_DATA/tiny_imagenet20/train.parquet",
    "$JEPAKIT_DATA/tiny_imagenet20/val.parquet",
    ("train.steps=null", "train.minutes=20"),
)
PHOTOS = QualitySet("bundled:photos", "bundled:photos", quick=("train.steps=100", "train.minutes=null"))
DIGITS = QualitySet(
    "bundled:digits",
    "bundled:digits",
    changes=("tokenizer.patch=2", "views.flip=false"),
    quick=("train.steps=100", "train.minutes=null"),
)
UCR = "$JEPAKIT_DATA/ts_ucr_uea/"
UNION = ",".join(f"{UCR}{name}_train.npz" for name in ("OSULeaf", "PigCVP", "JapaneseVowels", "BasicMotions", "ItalyPowerDemand"))
SHORT_SERIES = (
    "train.steps=250",
    "data.batch=32",
    "tokenizer.norm=train",
    "tokenizer.channels=joint",
    "views.shift=false",
    "views.scale=0",
    "encoder.positions=sincos",
    "optim.lr=1e-3",
    "optim.matrix_lr=null",
    "objective=[{name: smooth-l1, weight: 1.0}, {name: agreement, weight: 3.0}]",
)
SERIES_SETS = (
    *(
        QualitySet(
            name,
            f"{UCR}{name}_train.npz::length=256",
            f"{UCR}{name}_test.npz::length=256",
            ("train.steps=null", "train.minutes=10"),
            pretrain=f"{UNION}::length=256::univariate=yes::balance=sqrt",
        )
        for name in ("OSULeaf", "PigCVP")
    ),
    QualitySet(
        "ItalyPowerDemand",
        f"{UCR}ItalyPowerDemand_train.npz",
        f"{UCR}ItalyPowerDemand_test.npz",
        (*SHORT_SERIES, "train.steps=60", "tokenizer.patch=2", "tokenizer.channels=independent"),
    ),
    QualitySet("BasicMotions", f"{UCR}BasicMotions_train.npz", f"{UCR}BasicMotions_test.npz", (*SHORT_SERIES, "tokenizer.patch=5")),
    QualitySet("JapaneseVowels", f"{UCR}JapaneseVowels_train.npz", f"{UCR}JapaneseVowels_test.npz", (*SHORT_SERIES, "tokenizer.patch=1")),
    QualitySet("bundled:osu-leaf", "bundled:osu-leaf", quick=("train.steps=100",)),
    QualitySet(
        "bundled:japanese-vowels", "bundled:japanese-vowels", changes=(*SHORT_SERIES, "tokenizer.patch=1"), quick=("train.steps=100",)
    ),
)
ETT = "$JEPAKIT_DATA/ts_ett/ETTh1.csv.gz::univariate=yes::window=336::horizon=96::scaler=0:8640"
FORECAST = QualitySet("ETTh1-96", f"{ETT}::rows=0:8640::stride=4", f"{ETT}::rows=11520:14400::stride=4", pretrain=f"{ETT}::rows=0:8640")


@hookimpl
def register_recipes() -> list[RecipeSpec]:
    """Complete run configs for images."""
    return [
        RecipeSpec("image", "image", f"{IMAGE}:recipes/image.yaml", "I-JEPA on images", "arXiv 2301.08243", (TINY_IMAGENET,)),
        RecipeSpec(
            "image-quick",
            "image",
            f"{IMAGE}:recipes/image_quick.yaml",
            "I-JEPA in two minutes on small images",
            "arXiv 2301.08243",
            (PHOTOS, DIGITS),
        ),
        RecipeSpec(
            "timeseries",
            "timeseries",
            f"{SERIES}:recipes/timeseries.yaml",
            "TS-JEPA on series of any length",
            "arXiv 2509.25449",
            SERIES_SETS,
        ),
        RecipeSpec(
            "timeseries-forecast",
            "timeseries",
            f"{SERIES}:recipes/timeseries_forecast.yaml",
            "TS-JEPA with a linear forecasting head",
            "arXiv 2509.25449",
            (FORECAST,),
        ),
        RecipeSpec(
            "timeseries-control",
            "cartpole",
            f"{SERIES}:recipes/timeseries_control.yaml",
            "TS-JEPA for remote control of a cart-pole",
            "arXiv 2406.04853",
        ),
    ]


@hookimpl
def register_commands() -> list[CommandSpec]:
    """Closed loops, and a look at clouds."""
    return [
        CommandSpec("control", f"{SERIES}.closed_loop:control", "Balance a cart-pole with what a run predicts."),
        CommandSpec("view", f"{POINTS}.viewer:view", "Look at a point cloud, in a window or as a file."),
    ]
