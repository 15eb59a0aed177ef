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
use super::model::{Definition, Reading};
use super::operations;
use super::weights::Variable;
use crate::import::json::document::{Content, Value};

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
    config: &Value<'a>,
    reading: &mut Reading<'_, 'a>,
) -> Option<Box<dyn Layer>> {
    let label = definition.label();
    // Both are told: a wrong type and what else is wrong.
    let typed = has_right_type(definition, config, reading);
    let mut attributes = Attributes::open(config, &label, reading.version, reading.findings)?;
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
        return read(&mut attributes).filter(|_| typed);
    }
    reading.refused.unknown(definition);
    None
}

/// Whether the object is an operation on tensors, which Keras 3 keeps among the layers.
pub(super) fn is_operation<'a>(value: &Value<'a>, config: &Value<'a>, reading: &mut Reading<'_, 'a>) -> bool {
    let Some(module) = field(value, "module", reading) else {
        // Without a module it is told by its class, and where a layer has the same by its fields: every layer has a type.
        let class = field(value, "class_name", reading).unwrap_or_default();
        let class = class.trim_matches('"');
        let mut typed = |name| field(config, name, reading).is_some();
        return operations::find(class).is_some()
            && (find(class).is_none() || !["dtype", "trainable"].into_iter().any(&mut typed));
    };
    ["keras.src.ops", "keras.ops", "keras.src.backend"].iter().any(|known| module.contains(known))
}

/// Whether a layer's class is none of Keras' own.
pub(super) fn is_custom<'a>(value: &Value<'a>, reading: &mut Reading<'_, 'a>) -> bool {
    const OWN: [&str; 5] = ["keras", "tf_keras", "tensorflow", "builtins", "keras_preprocessing"];
    let module = field(value, "module", reading);
    let registered = field(value, "registered_name", reading);
    let class = field(value, "class_name", reading);
    let foreign = |module: String| {
        let root = module.trim_matches('"').split('.').next().unwrap_or_default().to_owned();
        !OWN.contains(&root.as_str())
    };
    let packaged = |name: Option<String>| name.is_some_and(|name| name.contains('>'));
    module.is_some_and(foreign) || packaged(registered) || packaged(class)
}

/// A field as it is spelled.
fn field<'a>(of: &Value<'a>, name: &str, reading: &mut Reading<'_, 'a>) -> Option<String> {
    let attributes = Attributes::open(of, "", reading.version, reading.findings)?;
    attributes.value(name).map(|value| value.spelling().to_owned())
}

/// Whether a layer computes in float32; where it doesn't, that is told with all others.
pub(super) fn has_right_type<'a>(
    definition: &Definition<'a>,
    config: &Value<'a>,
    reading: &mut Reading<'_, 'a>,
) -> bool {
    let name = dtype(config, reading).unwrap_or_else(|| "float32".to_owned());
    if name != "float32" {
        reading.refused.dtype(definition, &name);
    }
    name == "float32"
}

/// The name of a layer's type, or of its policy; none where it says none.
fn dtype<'a>(config: &Value<'a>, reading: &mut Reading<'_, 'a>) -> Option<String> {
    let mut field = |of: &Value<'a>, name: &str| {
        let content = of.content().ok()?;
        if !matches!(content, Content::Object(_)) {
            return None;
        }
        Attributes::open(of, "", reading.version, reading.findings)?.value(name)
    };
    let value = field(config, "dtype")?;
    let policy = field(&value, "config").and_then(|config| field(&config, "name"));
    let named = policy.or_else(|| field(&value, "class_name")).unwrap_or(value);
    Some(named.spelling().trim_matches('"').to_owned())
}
