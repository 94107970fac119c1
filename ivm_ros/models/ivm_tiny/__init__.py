"""ivm-tiny: IVM's design with small encoders, trained from scratch on rendered tabletops."""
