"""Names that rendered scenes and instructions share: kinds, colours, materials, and their synonyms."""

from __future__ import annotations

KINDS: dict[str, tuple[str, ...]] = {
    # household objects; the first word is how the kind is named, the others are synonyms
    "cup": ("cup",),
    "mug": ("mug", "coffee mug"),
    "bowl": ("bowl",),
    "plate": ("plate", "dish"),
    "bottle": ("bottle",),
    "can": ("can", "soda can", "tin"),
    "pan": ("pan", "frying pan"),
    "pot": ("pot",),
    "tray": ("tray",),
    "box": ("box", "carton"),
    "milk": ("milk", "milk carton"),
    "cereal": ("cereal", "cereal box"),
    "bread": ("bread", "loaf of bread"),
    "lemon": ("lemon",),
    "apple": ("apple",),
    "banana": ("banana",),
    "carrot": ("carrot",),
    "spoon": ("spoon",),
    "fork": ("fork",),
    "knife": ("knife",),
    "pen": ("pen", "marker"),
    "screwdriver": ("screwdriver",),
    "hammer": ("hammer",),
    "nut": ("nut", "metal nut"),
    "book": ("book",),
    "duck": ("duck", "rubber duck"),
    "teddy": ("teddy", "teddy bear", "stuffed bear"),
    "lego": ("lego brick", "toy brick", "lego"),
    # simple shapes
    "cube": ("cube", "block"),
    "ball": ("ball", "sphere"),
    "cylinder": ("cylinder",),
    "cone": ("cone",),
    "ring": ("ring", "torus"),
    "pyramid": ("pyramid",),
}

COLORS: dict[str, tuple[str, ...]] = {
    "red": ("red",),
    "orange": ("orange",),
    "yellow": ("yellow",),
    "green": ("green",),
    "cyan": ("cyan", "turquoise"),
    "blue": ("blue",),
    "purple": ("purple", "violet"),
    "pink": ("pink",),
    "brown": ("brown",),
    "white": ("white",),
    "gray": ("gray", "grey"),
    "black": ("black",),
}

MATERIALS: dict[str, tuple[str, ...]] = {
    "metal": ("metal", "shiny", "metallic"),
    "wooden": ("wooden", "wood"),
    "checkered": ("checkered", "checked"),
    "striped": ("striped",),
}

SIZES: dict[str, tuple[str, ...]] = {
    "small": ("small", "little", "tiny"),
    "large": ("large", "big"),
}
