"""The layout of RefCOCO and its relatives, `refer_seg`, which MLLMSeg and UGround read as well.

    ROOT/refer_seg/refcoco/refs(unc).p          the expressions: a pickle, or JSON in a file that ends so
    ROOT/refer_seg/refcoco/instances.json       the objects, in COCO's format
    ROOT/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000100.jpg

An expression file is a list of references {ref_id, image_id, ann_id, split, sentences: [{sent_id, sent}]}.
`SETS` says in what each dataset differs from that. Each sentence is one sample; boxes are [x, y, w, h].
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ivm_ros.datasets.coco import Instances, size_of
from ivm_ros.datasets.pickles import read_pickle
from ivm_ros.datasets.questions import Picture, Question, Questions, Region, box_from
from ivm_ros.datasets.records import Fields, is_id, read_json, shown
from ivm_ros.datasets.samples import Group
from ivm_ros.datasets.segmentation import is_polygon

_COCO = "images/mscoco/images"


@dataclass(frozen=True)
class ReferSet:
    """How one dataset is laid out under `refer_seg`.

    Attributes:
        folder: its own.
        references: name of the expression file without its ending.
        images: folders under `refer_seg`, or patterns of such; the first that has a picture counts.
        several: `ann_id` is a list; one without targets stands for nothing that matches.
        no_target: such a list.
        absent: field of a sentence that says that nothing matches, and its value then.
        drops_polygons: polygons that are none, of odd length or less than three points, are dropped.
        grouped: a reference's sentences are measured together.
        unique_sentences: no two sentences have the same `sent_id`.
    """

    folder: str
    references: str
    images: tuple[str, ...] = (f"{_COCO}/train2014",)
    several: bool = False
    no_target: tuple[int, ...] = ()
    absent: tuple[str, bool] | None = None
    drops_polygons: bool = False
    grouped: bool = False
    unique_sentences: bool = True


_SAIAPR = ("images/saiapr_tc-12", "images/saiapr_tc-12/*/images")
_TRAIN_AND_VAL = tuple(f"{_COCO}/{folder}" for folder in ("train2014", "val2014", "trainval2014"))
SETS = {
    "refcoco-unc": ReferSet("refcoco", "refs(unc)"),
    "refcoco-google": ReferSet("refcoco", "refs(google)"),
    "refcoco+-unc": ReferSet("refcoco+", "refs(unc)"),
    "refcocog-umd": ReferSet("refcocog", "refs(umd)"),
    "refcocog-google": ReferSet("refcocog", "refs(google)"),
    "refclef-unc": ReferSet("refclef", "refs(unc)", _SAIAPR),
    "refclef-berkeley": ReferSet("refclef", "refs(berkeley)", _SAIAPR),
    "grefcoco-unc": ReferSet("grefcoco", "grefs(unc)", several=True, no_target=(-1,), drops_polygons=True),
    "refzom-final": ReferSet("refzom", "Ref_ZOM", _TRAIN_AND_VAL, several=True, no_target=()),
    **{
        f"r-{name}": ReferSet(
            f"R-{name}",
            f"refs({by}_exclude_unified)",
            absent=("exist", False),
            grouped=True,
            unique_sentences=False,
        )
        for name, by in (("refcoco", "unc"), ("refcoco+", "unc"), ("refcocog", "umd"))
    },
    **{
        f"fp{name}": ReferSet(
            f"fp{name}",
            "refs(berkeley_exclude_unified)",
            absent=("is_false_premise", True),
            unique_sentences=False,
        )
        for name in ("refcoco", "refcoco+", "refcocog")
    },
}


class Refer(Questions):
    """One split of a dataset in this layout.

    Args:
        layout: one of `SETS`.
        root: has the folder `refer_seg`.
        split: such as "testA".
        skip_bad: see `Dataset`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is damaged, or there is no such split.
    """

    def __init__(self, layout: ReferSet, root: Path, split: str, skip_bad: bool = False) -> None:
        super().__init__(skip_bad)
        self.layout = layout
        folder = root / "refer_seg"
        self.file, self._references = _read_references(folder / layout.folder, layout.references)
        self._roots = tuple(
            root
            for name in layout.images
            for root in (sorted(folder.glob(name)) if "*" in name else [folder / name])
        )
        splits = [
            reference.get("split") if isinstance(reference, dict) else None for reference in self._references
        ]
        if split not in splits:
            known = ", ".join(sorted({name for name in splits if isinstance(name, str)}))
            raise ValueError(f"{self.file}: expected a split of {known}; got {split!r}")
        # A reference that is no record at all has no split; it is bad in every one.
        chosen = [i for i, name in enumerate(splits) if name == split or not isinstance(name, str)]
        mentioned = [self._references[i] for i in chosen]
        objects = folder / layout.folder / "instances.json"
        self.instances = Instances(
            objects,
            images=set(_ids(mentioned, "image_id")),
            annotations=set(_ids(mentioned, "ann_id")),
        )
        self.annotations = (self.file, objects)
        self._places = [(i, j) for i in chosen for j in range(max(len(_sentences(self._references[i])), 1))]
        every_sentence = (sentence for reference in self._references for sentence in _sentences(reference))
        self._times = {
            "ref_id": Counter(_ids(self._references, "ref_id")),
            "sent_id": Counter(_ids(every_sentence, "sent_id")),
        }

    def __len__(self) -> int:
        """Return the number of sentences, good and bad."""
        return len(self._places)

    def question(self, index: int) -> Question:
        """Return question `index`, from 0 on, undecoded."""
        self.check_index(index)
        place, position = self._places[index]
        reference = Fields(self.file, f"reference {place}", self._references[place])
        number = reference.identifier("ref_id")
        reference.record = f"ref_id {number}"
        self._check_once(reference, "ref_id", number)
        reference.text("split")
        sentences = reference.sequence("sentences")
        if not sentences:
            raise reference.error("sentences", "expected at least one sentence, got none")
        sentence = Fields(self.file, f"ref_id {number}, sentence {position}", sentences[position])
        sentence_number = sentence.identifier("sent_id")
        if self.layout.unique_sentences:
            self._check_once(sentence, "sent_id", sentence_number)
        image = self.instances.images.find(reference.value("image_id"), reference, "image_id")
        targets = self._targets(reference)
        regions = (
            () if self._is_absent(sentence, targets) else tuple(self._region(reference, t) for t in targets)
        )
        return Question(
            record=sentence,
            picture=Picture(image, "file_name", image.text("file_name"), self._roots, size_of(image)),
            instruction=("sent", sentence.value("sent")),
            regions=regions,
            tag=self._tag(regions),
            group=Group(f"{self.layout.folder} {number}", len(sentences)) if self.layout.grouped else None,
            ids={"image": reference.identifier("image_id"), "ref": number, "sentence": sentence_number},
        )

    def _targets(self, reference: Fields) -> list[Any]:
        """Return the ids of the annotations that a reference is about."""
        given = reference.value("ann_id")
        if not self.layout.several:
            return [given]
        if not isinstance(given, list):
            raise reference.error("ann_id", f"expected a list of annotations, got {shown(given)}")
        targets = [] if tuple(given) == self.layout.no_target else given
        if not targets and tuple(given) != self.layout.no_target:
            problem = f"expected {list(self.layout.no_target)} where nothing matches, got an empty list"
            raise reference.error("ann_id", problem)
        if len(set(map(str, targets))) != len(targets):
            raise reference.error("ann_id", f"expected each annotation once, got {shown(given)}")
        if reference.fields.get("no_target", not targets) != (not targets):
            problem = f"expected what ann_id says, {not targets}; got {shown(reference.fields['no_target'])}"
            raise reference.error("no_target", problem)
        return targets

    def _is_absent(self, sentence: Fields, targets: Sequence[Any]) -> bool:
        """Tell whether nothing matches a sentence of a reference with `targets`."""
        if self.layout.absent is None:
            return not targets
        name, value = self.layout.absent
        given = sentence.value(name)
        if type(given) is not bool:
            raise sentence.error(name, f"expected true or false, got {shown(given)}")
        return given is value

    def _region(self, reference: Fields, target: Any) -> Region:
        annotation = self.instances.annotations.find(target, reference, "ann_id")
        if annotation.value("image_id") != reference.value("image_id"):
            problem = f"expected the reference's image {reference.value('image_id')}, got"
            raise annotation.error("image_id", f"{problem} {shown(annotation.value('image_id'))}")
        self.instances.categories.find(annotation.value("category_id"), annotation, "category_id")
        segmentation = annotation.value("segmentation")
        if segmentation is None:
            raise annotation.error("segmentation", "expected polygons or RLE, got nothing")
        if self.layout.drops_polygons and isinstance(segmentation, list):
            segmentation = [part for part in segmentation if isinstance(part, dict) or is_polygon(part)]
        return Region(annotation, box_from(annotation, "bbox", annotation.value("bbox")), segmentation)

    def _tag(self, regions: Sequence[Region]) -> str | None:
        """Return how many targets a sample has, where that differs."""
        if not self.layout.several and self.layout.absent is None:
            return None
        return ("no target", "one target", "several targets")[min(len(regions), 2)]

    def _check_once(self, record: Fields, name: str, number: int | str) -> None:
        if self._times[name][number] > 1:
            raise record.error(
                name, f"expected an id that occurs once, got {number}, which occurs more often"
            )


def _read_references(folder: Path, stem: str) -> tuple[Path, list[Any]]:
    for ending, read in ((".p", read_pickle), (".json", read_json)):
        file = folder / f"{stem}{ending}"
        if file.is_file():
            references = read(file)
            if not isinstance(references, list):
                raise ValueError(f"{file}: expected a list of references, got {shown(references)}")
            return file, references
    raise FileNotFoundError(f"expected the file {stem}.p or {stem}.json in {folder}; there is none")


def _sentences(reference: Any) -> list[Any]:
    sentences = reference.get("sentences") if isinstance(reference, dict) else None
    return sentences if isinstance(sentences, list) else []


def _ids(records: Iterable[Any], name: str) -> Iterator[int | str]:
    """Yield the ids that records have in a field, alone or in a list."""
    for record in records:
        given = record.get(name) if isinstance(record, dict) else None
        for number in given if isinstance(given, list) else [given]:
            if is_id(number):
                yield number
