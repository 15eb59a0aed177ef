//! What a layer says of itself before its class is looked at.

use super::attributes::Attributes;
use super::reading::Reading;
use crate::import::document::Value;

/// What a layer says of itself.
pub(super) struct Written<'a> {
    pub(super) name: String,
    pub(super) class: String,
    pub(super) config: Value<'a>,
    pub(super) nodes: Option<Value<'a>>,
    /// Where Python finds the class.
    pub(super) module: Option<String>,
    /// Under which name a user's class is registered.
    pub(super) registered: Option<String>,
    /// Whether the class's name says that it is of a user's package.
    pub(super) packaged: bool,
    pub(super) trainable: bool,
    /// Whether it has the fields that every layer has.
    pub(super) typed: bool,
    pub(super) dtype: Option<String>,
}

impl Written<'_> {
    /// Whether a layer's class is none of Keras' own.
    pub(super) fn is_custom(&self) -> bool {
        const OWN: [&str; 4] = ["keras", "tf_keras", "tensorflow", "builtins"];
        let root = self.module.as_ref().map(|module| module.split('.').next().unwrap_or_default());
        let packaged = |name: &String| {
            name.rsplit_once('>')
                .is_some_and(|(package, class)| package != "Custom" || !REGISTERED.contains(&class))
        };
        root.is_some_and(|root| !OWN.contains(&root))
            || self.registered.as_ref().is_some_and(packaged)
            || self.packaged
    }
}

impl<'a> Reading<'_, 'a> {
    /// Reads what a layer says of itself before its class is looked at.
    pub(super) fn written(&mut self, value: &Value<'a>) -> Option<Written<'a>> {
        let mut outer = self.attributes(value, "")?;
        let class = outer.needed("class_name")?;
        let class = outer.values().as_text(&class, "class_name")?;
        let config = outer.needed("config")?;
        let name = outer.value("name");
        let nodes = outer.value("inbound_nodes");
        let [module, registered] = ["module", "registered_name"].map(|name| outer.value(name).map(spelled));
        let (packaged, class) = match class.strip_prefix("Custom>").filter(|class| is_registered(class)) {
            Some(class) => (false, class.to_owned()),
            None => (class.contains('>'), class),
        };
        let mut written = Written {
            name: String::new(),
            class,
            config,
            nodes,
            module,
            registered,
            packaged,
            trainable: true,
            typed: false,
            dtype: None,
        };
        let mut inner_name = None;
        if written.config.spelling().starts_with('{') {
            let mut inner = self.attributes(&written.config, &written.class)?;
            inner_name = inner.value("name");
            written.trainable = inner.flag_or("trainable", true).unwrap_or(true);
            let dtype = inner.value("dtype");
            written.typed = dtype.is_some() || inner.value("trainable").is_some();
            written.dtype = dtype.map(|dtype| self.dtype(dtype));
        }
        let mut outer = Attributes::nothing(value, &written.class, self.version, self.findings);
        written.name = match name.or(inner_name) {
            Some(name) => outer.values().as_name(&name, "name")?,
            None => written.class.to_lowercase(),
        };
        Some(written)
    }

    /// The name of a layer's type, or of its policy.
    fn dtype(&mut self, dtype: Value<'a>) -> String {
        let mut field = |of: &Value<'a>, name: &str| {
            let object = of.spelling().starts_with('{');
            object.then(|| self.attributes(of, "")).flatten()?.value(name)
        };
        let policy = field(&dtype, "config").and_then(|config| field(&config, "name"));
        spelled(policy.or_else(|| field(&dtype, "class_name")).unwrap_or(dtype))
    }
}

/// A text without its quotation marks.
fn spelled(value: Value<'_>) -> String {
    value.spelling().trim_matches('"').to_owned()
}

/// Classes that Keras registers as a user would.
const REGISTERED: [&str; 3] = ["CustomScaleLayer", "LayerScale", "StochasticDepth"];

/// Whether Keras registers a class of its own by this name.
fn is_registered(class: &str) -> bool {
    REGISTERED.contains(&class)
}
