"""Label Studio's labelling interface, as far as it says what to answer with."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

from picosam2.errors import InputError

# The controls that can hold a mask, the better one first: polygons have no holes.
OUTPUTS = {"BrushLabels": "brushlabels", "PolygonLabels": "polygonlabels"}


@dataclass(frozen=True)
class Labelling:
    """Where masks go in a labelling interface.

    Args:
        from_name: the control's name.
        to_name: of the picture that it draws on.
        kind: ``brushlabels`` or ``polygonlabels``.
        labels: that the control has.
        data_key: where a task has the picture's address.
    """

    from_name: str
    to_name: str
    kind: str
    labels: tuple[str, ...]
    data_key: str


def read_labelling(config: str) -> Labelling:
    """The control for masks, and the picture, of a labelling interface in XML.

    Raises:
        InputError: it is broken, or has no such control.
    """
    # Entities can grow without bounds; Label Studio uses none.
    if "<!" in config.replace("<!--", ""):
        raise InputError("the labelling interface has a document type: leave it out")
    try:
        root = ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise InputError(f"the labelling interface is not XML: {error}") from None
    pictures = {tag.get("name"): tag.get("value", "") for tag in root.iter("Image")}
    for name, kind in OUTPUTS.items():
        for control in root.iter(name):
            to_name = control.get("toName")
            value = pictures.get(to_name, "")
            if to_name and control.get("name") and value.startswith("$"):
                labels = tuple(label.get("value", "") for label in control.iter("Label"))
                return Labelling(control.get("name", ""), to_name, kind, labels, value[1:])
    raise InputError(
        f"the labelling interface needs one of {', '.join(OUTPUTS)} for an <Image value='$...'>"
    )
