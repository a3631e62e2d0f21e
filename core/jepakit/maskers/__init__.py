"""Maskers: which tokens are seen and which are predicted, from coordinates alone.

| module | masker | hides |
|---|---|---|
| `random` | RandomMasker | random tokens |
| `block` | BlockMasker | a few boxes, on any number of axes; also as published, defects included |
| `tube` | TubeMasker | boxes that run through whole axes |
| `span` | SpanMasker | runs along one axis, tied over channels or not |
| `ball` | BallMasker | balls in coordinate space |
| `channel` | ChannelMasker | whole channels |
| `complement` | ComplementMasker | what another masker hides, and predicts all of it |
| `full` | FullMasker | nothing |

`XMasker(XSettings(...))` makes one. Underneath: `geometry` (shapes), `placement` (keeping them apart), `floor` (columns of tokens),
`plans` (masks → plan), `ranges` (options). Nothing is imported here.
"""
