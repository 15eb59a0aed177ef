//! The layers of Keras: what each takes, and the ops that a call of it becomes.

mod arrange;
mod convolution;
mod elementwise;
mod merge;
mod normalisation;
mod pool;
mod resize;

use super::layer::{KerasLayer, Read};

/// The layers by the names of their classes.
const CLASSES: &[(&str, Read)] = &[
    ("Conv2D", convolution::convolution),
    ("Convolution2D", convolution::convolution),
    ("DepthwiseConv2D", convolution::depthwise),
    ("SeparableConv2D", convolution::separable),
    ("SeparableConvolution2D", convolution::separable),
    ("Conv2DTranspose", convolution::transposed),
    ("Convolution2DTranspose", convolution::transposed),
    ("Dense", convolution::dense),
    ("BatchNormalization", normalisation::batch),
    ("BatchNormalizationV1", normalisation::batch),
    ("BatchNormalizationV2", normalisation::batch),
    ("SyncBatchNormalization", normalisation::batch),
    ("LayerNormalization", normalisation::layer),
    ("LayerScale", normalisation::layer_scale),
    ("Normalization", normalisation::stored),
    ("Rescaling", elementwise::rescaling),
    ("Activation", elementwise::activation),
    ("ReLU", elementwise::relu),
    ("LeakyReLU", elementwise::leaky_relu),
    ("ThresholdedReLU", elementwise::thresholded_relu),
    ("PReLU", elementwise::prelu),
    ("ELU", elementwise::elu),
    ("Softmax", elementwise::softmax),
    ("MaxPooling2D", pool::max),
    ("MaxPool2D", pool::max),
    ("AveragePooling2D", pool::average),
    ("AvgPool2D", pool::average),
    ("GlobalAveragePooling2D", pool::global_average),
    ("GlobalAvgPool2D", pool::global_average),
    ("GlobalMaxPooling2D", pool::global_max),
    ("GlobalMaxPool2D", pool::global_max),
    ("UpSampling2D", resize::up_sampling),
    ("Resizing", resize::resizing),
    ("CenterCrop", resize::center_crop),
    ("ZeroPadding2D", arrange::zero_padding),
    ("Cropping2D", arrange::cropping),
    ("Flatten", arrange::flatten),
    ("Reshape", arrange::reshape),
    ("Permute", arrange::permute),
    ("Concatenate", merge::concatenate),
    ("Add", merge::add),
    ("Subtract", merge::subtract),
    ("Multiply", merge::multiply),
    ("Average", merge::average),
    ("Maximum", merge::maximum),
    ("Minimum", merge::minimum),
    ("CustomScaleLayer", merge::custom_scale),
];

/// Layers that do something in training alone.
const IDENTITIES: &[&str] = &[
    "ActivityRegularization",
    "AlphaDropout",
    "AugMix",
    "AutoContrast",
    "CutMix",
    "Dropout",
    "FixedDropout",
    "GaussianDropout",
    "GaussianNoise",
    "Identity",
    "MixUp",
    "RandAugment",
    "RandomBrightness",
    "RandomColorDegeneration",
    "RandomColorJitter",
    "RandomContrast",
    "RandomElasticTransform",
    "RandomErasing",
    "RandomFlip",
    "RandomGaussianBlur",
    "RandomGrayscale",
    "RandomHeight",
    "RandomHue",
    "RandomInvert",
    "RandomPerspective",
    "RandomPosterization",
    "RandomRotation",
    "RandomSaturation",
    "RandomSharpness",
    "RandomShear",
    "RandomTranslation",
    "RandomWidth",
    "RandomZoom",
    "SpatialDropout2D",
    "StochasticDepth",
];

/// A concatenation along an axis, that of the batch counted.
pub(super) fn concatenate_along(axis: i64) -> impl KerasLayer {
    merge::Concatenate { axis }
}

/// A reshape to axes without that of the batch, of which one may be open.
pub(super) fn reshape_to(axes: Vec<i64>) -> impl KerasLayer {
    arrange::ReshapeTo(axes)
}

/// What reads a layer of this class.
pub(super) fn find(class: &str) -> Option<Read> {
    if IDENTITIES.contains(&class) {
        return Some(elementwise::identity);
    }
    CLASSES.iter().find(|(name, _)| *name == class).map(|&(_, read)| read)
}

/// The names of all classes.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    CLASSES.iter().map(|(name, _)| *name).chain(IDENTITIES.iter().copied())
}
