"""Play the recorded clip (or a webcam, a video, a folder, a bag) as a camera, and ground it.

ros2 launch ivm_ros demo.launch.py
ros2 launch ivm_ros demo.launch.py source:=0 instruction:="the blue mug"
"""

from __future__ import annotations

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

# Name -> default and description.
CAMERA_ARGUMENTS = {
    "source": (
        "clip",
        "clip (the recorded one), a webcam's number, or the path of a video, a folder of images or a bag.",
    ),
    "loop": ("true", "true: begin again at the end; false: end there, and the demo with it."),
    "camera_params_file": (
        PathJoinSubstitution([FindPackageShare("ivm_ros"), "config", "camera.yaml"]),
        "The other parameters of the camera node, YAML.",
    ),
}
GROUNDING_ARGUMENTS = {
    "instruction": ("hand me the blue mug", "What to find, in words."),
    "model": ("", "Name of the model. Empty: as in params_file."),
    "checkpoint": ("", "The model's weights. Empty: as in params_file, else its own."),
    "device": ("", "Where the model runs: auto, cpu, cuda ... Empty: as in params_file."),
    "model_options": ("", "The model's own options. Empty: as in params_file."),
    "model_python": ("", "A Python with its own libraries that runs the model. Empty: as in params_file."),
    "cores": (
        "",
        'Which processor cores the grounding node keeps to, counted from 0, not how many: "0 1". '
        "Empty: as in params_file.",
    ),
    "tracker": ("", "Carries answers onto newer images: none, flow or video. Empty: as in params_file."),
    "display_mode": ("", "How ~/masked_image shows the target. Empty: as in params_file."),
    "params_file": (
        PathJoinSubstitution([FindPackageShare("ivm_ros"), "config", "grounding.yaml"]),
        "All parameters of the grounding node, YAML.",
    ),
    "namespace": ("", "Namespace of both nodes and of their topics."),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}


def generate_launch_description() -> LaunchDescription:
    """Return the camera, the grounding node and their arguments; the demo ends with the camera."""
    camera = Node(
        package="ivm_ros",
        executable="camera_node",
        name="camera",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            LaunchConfiguration("camera_params_file"),
            {
                "source": ParameterValue(LaunchConfiguration("source"), value_type=str),
                "loop": ParameterValue(LaunchConfiguration("loop"), value_type=bool),
            },
        ],
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
        on_exit=Shutdown(reason="the camera has ended"),
    )
    grounding = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(
            PathJoinSubstitution([FindPackageShare("ivm_ros"), "launch", "grounding.launch.py"])
        ),
        launch_arguments=[(name, LaunchConfiguration(name)) for name in GROUNDING_ARGUMENTS],
    )
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=text)
                for name, (default, text) in {**CAMERA_ARGUMENTS, **GROUNDING_ARGUMENTS}.items()
            ),
            camera,
            grounding,
        ]
    )
