//! The layers of Keras: what each takes, and the ops that a call of it becomes.

mod arrange;
mod convolution;
mod elementwise;
mod merge;
mod normalisation;
mod pool;
mod resize;

use super::attributes::Attributes;
use super::build::{Site, Tensor};
use super::model::{Definition, Reading, Written};
use super::operations;
use super::weights::Variable;

/// A layer whose inputs are not known yet.
pub(super) trait Layer {
    /// The results of one call.
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>>;

    /// Its variables, in the order in which Keras makes them.
    fn variables(&self) -> Vec<Variable> {
        Vec::new()
    }
}

/// Reads a layer's configuration.
pub(super) type Read = for<'r, 'v, 'a> fn(&'r mut Attributes<'v, 'a>) -> Option<Box<dyn Layer>>;

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
pub(super) fn concatenate_along(axis: i64) -> impl Layer {
    merge::Concatenate { axis }
}

/// A reshape to axes without that of the batch, of which one may be open.
pub(super) fn reshape_to(axes: Vec<i64>) -> impl Layer {
    arrange::ReshapeTo(axes)
}

/// The names of all classes that are read.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    let layers = CLASSES.iter().map(|(name, _)| *name).chain(IDENTITIES.iter().copied());
    layers.chain(operations::names())
}

/// What reads a layer of this class.
pub(super) fn find(class: &str) -> Option<Read> {
    if IDENTITIES.contains(&class) {
        return Some(elementwise::identity);
    }
    CLASSES.iter().find(|(name, _)| *name == class).map(|&(_, read)| read)
}

/// Reads a layer or an operation.
pub(super) fn read<'a>(
    definition: &Definition<'a>,
    written: &Written<'a>,
    reading: &mut Reading<'_, 'a>,
) -> Option<Box<dyn Layer>> {
    let label = definition.label();
    let mut attributes = Attributes::open(&written.config, &label, reading.version, reading.findings)?;
    if definition.operation {
        if let Some(operation) = operations::find(&definition.class) {
            return operation(&mut attributes);
        }
    } else if operations::is_lambda(&definition.class) {
        let function = attributes.needed("function")?;
        let function = attributes.text_of(&function, "function")?;
        if let Some(operation) = operations::find_function(&function) {
            return operation(&mut attributes);
        }
        reading.refused.function(definition, &function);
        return None;
    } else if let Some(read) = find(&definition.class) {
        return read(&mut attributes);
    }
    reading.refused.unknown(definition);
    None
}

/// Whether the layer is an operation on tensors, which Keras 3 keeps among the layers. Without a module it is told by its
/// class, and where a layer has the same by its fields: every layer has a type.
pub(super) fn is_operation(written: &Written<'_>) -> bool {
    match &written.module {
        Some(module) => ["keras.src.ops", "keras.ops"].iter().any(|known| module.starts_with(known)),
        None => {
            operations::find(&written.class).is_some() && (find(&written.class).is_none() || !written.typed)
        }
    }
}

/// Classes that Keras registers as a user would.
const REGISTERED: [&str; 3] = ["CustomScaleLayer", "LayerScale", "StochasticDepth"];

/// Whether Keras registers a class of its own by this name.
pub(super) fn is_registered(class: &str) -> bool {
    REGISTERED.contains(&class)
}

/// Whether a layer's class is none of Keras' own.
pub(super) fn is_custom(written: &Written<'_>) -> bool {
    const OWN: [&str; 4] = ["keras", "tf_keras", "tensorflow", "builtins"];
    let root = written.module.as_ref().map(|module| module.split('.').next().unwrap_or_default());
    let packaged = |name: &String| {
        name.rsplit_once('>')
            .is_some_and(|(package, class)| package != "Custom" || !REGISTERED.contains(&class))
    };
    root.is_some_and(|root| !OWN.contains(&root))
        || written.registered.as_ref().is_some_and(packaged)
        || written.packaged
}
