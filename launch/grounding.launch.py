"""Start the node `grounding` on a camera that is already running.

ros2 launch ivm_ros grounding.launch.py image:=/camera/color/image_raw instruction:="the red cup"
ros2 launch ivm_ros grounding.launch.py --show-args
"""

from __future__ import annotations

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

# Launch argument -> parameter of the node and its type. An empty argument leaves it to params_file.
PARAMETERS = {
    "model": ("model", str),
    "checkpoint": ("checkpoint", str),
    "device": ("device", str),
    "model_options": ("model_options", str),
    "model_python": ("model_python", str),
    "cores": ("cores", str),
    "tracker": ("tracker", str),
    "cameras": ("cameras", str),
    "image_transport": ("image_transport", str),
    "instruction": ("instruction", str),
    "display_mode": ("display.mode", str),
    "autostart": ("autostart", bool),
}

ARGUMENTS = {
    "model": "Name of the model; `ivm-ros doctor` lists them. Empty: as in params_file.",
    "checkpoint": "The model's weights, a file or folder. Empty: as in params_file, else its own.",
    "device": "Where the model runs: auto, cpu, cuda, cuda:1 ... Empty: as in params_file.",
    "model_options": 'The model\'s own options, such as "precision=4bit". Empty: as in params_file.',
    "model_python": "A Python with its own libraries that runs the model. Empty: as in params_file.",
    "cores": 'Which processor cores the node keeps to, counted from 0, not how many: "0 1". '
    "Empty: as in params_file, else all.",
    "tracker": "Carries answers onto newer images: none, flow or video. Empty: as in params_file.",
    "cameras": "Names of several cameras, with spaces between; each has its topics below its name. "
    "Empty: as in params_file.",
    "image": "Topic of the camera's images; with image_transport:=compressed without the ending /compressed. "
    "Empty: `image` in the node's namespace.",
    "image_transport": "raw or compressed. Empty: as in params_file.",
    "instruction": "What to find, in words; may also come later, on the topic `instruction`. "
    "Empty: as in params_file.",
    "display_mode": "What ~/masked_image shows: highlight, blur, gray ... Empty: as in params_file.",
    "autostart": "true: the node configures and activates itself; false: an outside manager does. "
    "Empty: as in params_file.",
    "namespace": "Namespace of the node and of its topics.",
    "log_level": "debug, info, warn, error or fatal.",
}


def make_node(context: LaunchContext) -> list[Node]:
    """Return the node with those parameters and remappings that were asked for."""
    given = {name: LaunchConfiguration(name).perform(context) for name in (*ARGUMENTS, "params_file")}
    parameters = {
        parameter: ParameterValue(LaunchConfiguration(name), value_type=kind)
        for name, (parameter, kind) in PARAMETERS.items()
        if given[name]
    }
    return [
        Node(
            package="ivm_ros",
            executable="grounding_node",
            name="grounding",
            namespace=LaunchConfiguration("namespace"),
            parameters=[source for source in (given["params_file"], parameters) if source],
            remappings=[("image", given["image"])] if given["image"] else [],
            ros_arguments=["--log-level", LaunchConfiguration("log_level")],
            output="screen",
            emulate_tty=True,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Return the node and its arguments."""
    defaults = {"log_level": "info"}
    params_file = PathJoinSubstitution([FindPackageShare("ivm_ros"), "config", "grounding.yaml"])
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=defaults.get(name, ""), description=text)
                for name, text in ARGUMENTS.items()
            ),
            DeclareLaunchArgument(
                "params_file", default_value=params_file, description="All parameters of the node, YAML."
            ),
            OpaqueFunction(function=make_node),
        ]
    )
