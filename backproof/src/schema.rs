//! The whole of the interface as one JSON document: what the bindings' types are made from.

use crate::config::Overrides;
use crate::verbs::*;
use schemars::generate::{Contract, SchemaSettings};
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// Every verb with its options and its result, the settings of a session, and every error code.
///
/// Schemas are of JSON Schema 2020-12, and refer to one another under `#/definitions/`. Fields that are not required may be absent from a result,
/// and left out of options.
pub fn api() -> Value {
    let mut api = Api { taken: generator(Contract::Deserialize), given: generator(Contract::Serialize) };
    let mut verbs = Map::new();
    macro_rules! describe {
        ($($verb:ident, $options:ty, $result:ty, $doc:literal;)*) => {
            $(verbs.insert(stringify!($verb).into(), api.verb::<$options, $result>($doc));)*
        };
    }
    each_verb!(describe);
    let settings = api.taken.subschema_for::<Overrides>();
    let mut definitions = api.taken.take_definitions(true);
    for (name, schema) in api.given.take_definitions(true) {
        // What is taken and given is the same in both directions; a test sees to it.
        definitions.insert(name, schema);
    }
    let errors: Map<String, Value> = crate::error::all_codes()
        .into_iter()
        .map(|code| {
            let described = json!({ "meaning": code.meaning(), "hint": code.hint(), "transient": code.is_transient() });
            (code.name().to_owned(), described)
        })
        .collect();
    let mut api = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "verbs": verbs,
        "settings": settings,
        "definitions": definitions,
        "errors": errors,
    });
    unlink(&mut api);
    api
}

/// Descriptions are read in other languages, too: without rustdoc's links, and without the line breaks of the source.
fn unlink(value: &mut Value) {
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(name, value)| match value {
            Value::String(text) if name == "description" => *text = unlinked(text),
            _ => unlink(value),
        }),
        Value::Array(all) => all.iter_mut().for_each(unlink),
        _ => {}
    }
}

fn unlinked(text: &str) -> String {
    let paragraphs: Vec<String> = text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect();
    let (text, mut plain) = (paragraphs.join("\n\n"), String::new());
    let mut rest = text.as_str();
    while let Some((before, link)) = rest.split_once("[`") {
        let Some((name, after)) = link.split_once("`]") else { break };
        plain.push_str(before);
        plain.push_str(&format!("`{name}`"));
        let target = after.strip_prefix('(').and_then(|target| target.split_once(')'));
        rest = target.map_or(after, |(_, after)| after);
    }
    plain + rest
}

struct Api {
    /// Schemas of what is read.
    taken: SchemaGenerator,
    /// Schemas of what is written.
    given: SchemaGenerator,
}

impl Api {
    fn verb<Options: JsonSchema, Result: JsonSchema>(&mut self, doc: &str) -> Value {
        json!({
            "doc": doc,
            "options": self.taken.subschema_for::<Options>(),
            "result": self.given.subschema_for::<Result>(),
        })
    }
}

fn generator(contract: Contract) -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/definitions".into();
    settings.contract = contract;
    settings.into_generator()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| match value {
                Value::String(text) if name == "$ref" => found.push(text),
                _ => references(value, found),
            }),
            Value::Array(all) => all.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }

    #[test]
    fn it_refers_to_what_is_in_it_and_describes_every_field() {
        let api = api();
        let mut found = Vec::new();
        references(&api, &mut found);
        assert!(found.len() > 50, "{found:?}");
        for reference in found {
            let name = reference.strip_prefix("#/definitions/").unwrap();
            assert!(!api["definitions"][name].is_null(), "{reference}");
        }
        for (name, schema) in api["definitions"].as_object().unwrap() {
            // Two types of one name would be told apart by a number.
            assert!(
                !name.ends_with(|c: char| c.is_ascii_digit()) || ["Sha256", "Blake3"].contains(&name.as_str()),
                "{name}"
            );
            for (field, of) in schema["properties"].as_object().into_iter().flatten() {
                let description = of["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty() && !description.contains("[`"), "{name}.{field}: {description:?}");
            }
        }
        for verb in [
            "init", "keygen", "backup", "list", "show", "cat", "verify", "restore", "rollback", "diff", "drill",
            "config",
        ] {
            assert!(!api["verbs"][verb]["options"].is_null(), "{verb}");
        }
        assert_eq!(api["errors"].as_object().unwrap().len(), crate::error::all_codes().len());
    }

    #[test]
    fn what_is_taken_and_given_is_the_same() {
        let mut taken = Api { taken: generator(Contract::Deserialize), given: generator(Contract::Serialize) };
        macro_rules! describe {
            ($($verb:ident, $options:ty, $result:ty, $doc:literal;)*) => { $(taken.verb::<$options, $result>($doc);)* };
        }
        each_verb!(describe);
        taken.taken.subschema_for::<Overrides>();
        let given = taken.given.take_definitions(true);
        for (name, schema) in taken.taken.take_definitions(true) {
            if let Some(other) = given.get(&name) {
                assert_eq!(&schema, other, "{name}");
            }
        }
    }
}
