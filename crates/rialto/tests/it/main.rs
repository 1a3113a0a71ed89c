//! The shape of the workspace. What the program does is tested in `acceptance`, from outside.

mod arrows;
