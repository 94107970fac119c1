# Everything in one command each; `make help` says which there are.
#
# With an apt ROS 2 sourced, its rclpy is used; without one, ROS 2 comes from PyPI's wheels. Either way everything
# goes into a virtual environment in this folder, and nothing else on the machine is touched.

SHELL := bash
.SHELLFLAGS := -o pipefail -c

ROS ?= jazzy
PYTHON ?= python3
ARGS ?=
DISTROS := $(patsubst constraints-%.txt,%,$(wildcard constraints-*.txt))

SOURCED := $(and $(AMENT_PREFIX_PATH),$(shell $(PYTHON) -c \
	'import rclpy, sys; print("yes" if sys.prefix == sys.base_prefix else "")' 2>/dev/null))

ifeq ($(SOURCED),yes)
VENV := .venv-$(or $(ROS_DISTRO),sourced)
VENV_OPTIONS := --system-site-packages
# Its message modules are compiled for the system's NumPy: that version stays.
PINS := $(VENV)/constraints.txt
WRITE_PINS := $(PYTHON) -c 'import numpy; print(f"numpy=={numpy.__version__}")' > $(PINS)
else
VENV := .venv$(if $(filter-out jazzy,$(ROS)),-$(ROS))
VENV_OPTIONS :=
PINS := constraints-$(ROS).txt
WRITE_PINS := true
$(if $(wildcard $(PINS)),,$(error ROS=$(ROS): expected one of: $(DISTROS)))
export ROS_DISTRO := $(ROS)
# A half-sourced ROS 2 must not be found instead of the wheels, whose loader sets the library path itself,
# but only where no other environment of wheels has left its mark.
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH PYTHONPATH _ROS_WHEELS_BOOTSTRAP_COMPLETE
ifneq ($(AMENT_PREFIX_PATH),)
unexport LD_LIBRARY_PATH
endif
endif

BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
SOURCES := Makefile setup.py pyproject.toml package.xml CMakeLists.txt $(filter constraints-%,$(PINS)) \
	$(wildcard cmake/* msg/* srv/* config/* launch/* scripts/*)

# Stay on this machine: by default DDS looks for other nodes on every network (environment wins).
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test format clean

help:
	@echo "make demo      play the recorded clip through camera and grounding node, and watch"
	@echo "make test      format, lint, types and tests; needs no camera, screen or network"
	@echo "make install   only set up $(VENV)/; the others do it themselves"
	@echo "make format    put the code in order"
	@echo "make clean     delete virtual environments and what was built"
	@echo
	@echo "Variables:"
	@echo "  ARGS=...       for the demo or pytest: make demo ARGS=\"--headless --seconds 5\", make test ARGS=\"-k stream\""
	@echo "  ROS=kilted     another ROS 2 from PyPI: $(DISTROS); now $(if $(SOURCED),the sourced one,$(ROS))"
	@echo "  PYTHON=...     3.10 to 3.13 without a sourced ROS 2; now $(PYTHON)"
	@echo "  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu   a PyTorch without CUDA (0.2 GB, not 5 GB)"
	@echo
	@echo "Then: $(BIN)/ivm-ros --help"

install: $(STAMP)

$(STAMP): $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= ((9, 9) if "$(SOURCED)" else (3, 13)))' || \
		{ echo "expected Python 3.10 to 3.13, got $$($(PYTHON) --version); name one: make PYTHON=python3.12 ..."; exit 1; }
	@c++ --version > /dev/null || { echo "expected a C++ compiler; on Debian and Ubuntu: sudo apt install g++"; exit 1; }
	@echo "== virtual environment $(VENV)/, ROS 2 $(if $(SOURCED),as sourced,$(ROS) from PyPI)"
	$(PYTHON) -m venv $(VENV_OPTIONS) $(VENV)
	@$(WRITE_PINS)
	@echo "== PyTorch"
	$(BIN)/python -m pip install -c $(PINS) torch
	@echo "== ivm_ros, its libraries, and its ROS interfaces"
	$(BIN)/python -m pip install -c $(PINS) -e ".[all,dev]" | sed -u '/^Requirement already satisfied/d'
	@touch $@

demo: $(STAMP)
	$(BIN)/ivm-ros demo $(ARGS)

test: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv .venv-* build install log *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
