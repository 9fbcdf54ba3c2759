//! How an object is named to people: `policy p on public.orders`.

use super::name::Name;
use super::record::{Inventory, ObjectRecord};
use std::collections::HashSet;

/// Kinds whose tag is the name of a table, a space and a name of their own.
const OF_A_TABLE: [&str; 7] =
    ["CHECK CONSTRAINT", "CONSTRAINT", "DEFAULT", "FK CONSTRAINT", "POLICY", "RULE", "TRIGGER"];

/// Kinds whose tag says more than a name, such as arguments: it is given as it is.
const AS_WRITTEN: [&str; 13] = [
    "ACL",
    "AGGREGATE",
    "CAST",
    "COMMENT",
    "DEFAULT ACL",
    "FUNCTION",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "PROCEDURE",
    "SECURITY LABEL",
    "TRANSFORM",
    "USER MAPPING",
];

/// Names objects with what an inventory knows of tables.
pub(crate) struct Describer<'a> {
    relations: HashSet<(Option<&'a Name>, &'a [u8])>,
}

impl<'a> Describer<'a> {
    pub(crate) fn new(inventories: [&'a Inventory; 2]) -> Self {
        let relations = ["TABLE", "VIEW", "MATERIALIZED VIEW", "FOREIGN TABLE"];
        let objects = inventories.into_iter().flat_map(|inventory| &inventory.objects);
        let relations = objects.filter(|object| relations.contains(&object.kind.as_str()));
        Describer { relations: relations.map(|object| (object.schema.as_ref(), object.name.as_bytes())).collect() }
    }

    /// An object, exactly and for people.
    pub(crate) fn describe(&self, object: &ObjectRecord) -> String {
        let (schema, name) = (object.schema.as_ref(), &object.name);
        let qualified = |name: &str| match schema {
            Some(schema) => format!("{}.{name}", schema.quoted()),
            None => name.to_owned(),
        };
        match object.kind.as_str() {
            "ENCODING" | "STDSTRINGS" | "SEARCHPATH" => object.kind.to_lowercase(),
            "ACL" => format!("privileges on {}", subject(name, qualified)),
            "COMMENT" => format!("comment on {}", subject(name, qualified)),
            "SECURITY LABEL" => format!("security label on {}", subject(name, qualified)),
            "DEFAULT ACL" => {
                let owner = object.owner.as_ref().map(|owner| format!(" of role {}", owner.quoted()));
                let within = schema.map(|schema| format!(" in schema {}", schema.quoted()));
                format!("{}{}{}", name.lossy().to_lowercase(), owner.unwrap_or_default(), within.unwrap_or_default())
            }
            "SEQUENCE SET" => format!("value of sequence {}", qualified(&name.quoted())),
            "SEQUENCE OWNED BY" => format!("owning column of sequence {}", qualified(&name.quoted())),
            "MATERIALIZED VIEW DATA" => format!("data of materialized view {}", qualified(&name.quoted())),
            "ROW SECURITY" => format!("row-level security of table {}", qualified(&name.quoted())),
            "TABLE ATTACH" => format!("attachment of partition {}", qualified(&name.quoted())),
            "INDEX ATTACH" => format!("attachment of index {}", qualified(&name.quoted())),
            "DATABASE PROPERTIES" => format!("properties of database {}", name.quoted()),
            kind if OF_A_TABLE.contains(&kind) => match self.split(schema, name.as_bytes()) {
                Some((table, own)) => {
                    let kind = if kind == "DEFAULT" { "default of column".into() } else { kind.to_lowercase() };
                    format!("{kind} {} on {}", Name::new(own).quoted(), qualified(&Name::new(table).quoted()))
                }
                None => format!("{} {}", kind.to_lowercase(), qualified(&name.lossy())),
            },
            "PUBLICATION TABLE" => match name.lossy().split_once(' ') {
                Some((publication, table)) if !table.contains(' ') => {
                    format!("membership of {} in publication {publication}", qualified(table))
                }
                _ => format!("membership in a publication: {}", qualified(&name.lossy())),
            },
            kind if name.as_bytes().starts_with(format!("{kind} ").as_bytes()) => {
                let own = name.lossy();
                format!("{} {}", kind.to_lowercase(), qualified(own.get(kind.len() + 1..).unwrap_or_default()))
            }
            kind if AS_WRITTEN.contains(&kind) => format!("{} {}", kind.to_lowercase(), qualified(&name.lossy())),
            kind => format!("{} {}", kind.to_lowercase(), qualified(&name.quoted())),
        }
    }

    /// The table and the rest: tags do not quote, so of several ways that of the longest known table is taken.
    fn split<'n>(&self, schema: Option<&Name>, tag: &'n [u8]) -> Option<(&'n [u8], &'n [u8])> {
        let spaces = || memchr::memchr_iter(b' ', tag).map(|at| (&tag[..at], &tag[at + 1..]));
        let known = spaces().rfind(|(table, _)| self.relations.contains(&(schema, *table)));
        known.or_else(|| if spaces().count() == 1 { spaces().next() } else { None })
    }
}

/// `TABLE orders`, as entries of privileges and comments have it: the kind in small letters, the name with its schema.
fn subject(tag: &Name, qualified: impl Fn(&str) -> String) -> String {
    let tag = tag.lossy();
    let upper = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let kind: Vec<&str> = tag.split(' ').take_while(|word| upper(word)).collect();
    let length = kind.iter().map(|word| word.len() + 1).sum::<usize>();
    let Some(rest) = tag.get(length..).filter(|_| length > 0) else { return tag.into_owned() };
    format!("{} {}", kind.join(" ").to_lowercase(), qualified(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use backup_core::digest::Blake3;

    #[test]
    fn objects_have_names_for_people() {
        let object = |kind: &str, schema: Option<&str>, name: &str| ObjectRecord {
            kind: kind.into(),
            schema: schema.map(Name::from),
            name: name.into(),
            owner: Some("app".into()),
            tablespace: None,
            access_method: None,
            definition: Blake3::of(b""),
            sequence: None,
        };
        let inventory = Inventory {
            objects: vec![object("TABLE", Some("public"), "a b"), object("VIEW", Some("public"), "a")],
            ..Inventory::default()
        };
        let empty = Inventory::default();
        let describer = Describer::new([&inventory, &empty]);
        for (kind, schema, name, described) in [
            ("TABLE", Some("public"), "orders", "table public.orders"),
            ("TABLE", Some("Odd"), "a \"b\"", "table \"Odd\".\"a \"\"b\"\"\""),
            ("POLICY", Some("public"), "orders p", "policy p on public.orders"),
            ("POLICY", Some("public"), "a b c", "policy c on public.\"a b\""),
            ("POLICY", Some("public"), "a c d", "policy \"c d\" on public.a"),
            ("POLICY", Some("other"), "a c d", "policy other.a c d"),
            ("DEFAULT", Some("public"), "orders id", "default of column id on public.orders"),
            ("FK CONSTRAINT", Some("public"), "orders fk", "fk constraint fk on public.orders"),
            ("ACL", Some("public"), "TABLE orders", "privileges on table public.orders"),
            ("ACL", Some("public"), "MATERIALIZED VIEW \"A b\"", "privileges on materialized view public.\"A b\""),
            ("ACL", None, "SCHEMA public", "privileges on schema public"),
            ("COMMENT", Some("public"), "COLUMN orders.id", "comment on column public.orders.id"),
            ("COMMENT", None, "DATABASE rich", "comment on database rich"),
            (
                "DEFAULT ACL",
                Some("s"),
                "DEFAULT PRIVILEGES FOR TABLES",
                "default privileges for tables of role app in schema s",
            ),
            ("PUBLICATION TABLE", Some("app"), "news people", "membership of app.people in publication news"),
            ("CAST", None, "CAST (m.pair AS text)", "cast (m.pair AS text)"),
            ("FUNCTION", Some("public"), "twice(integer)", "function public.twice(integer)"),
            ("SEQUENCE SET", Some("public"), "numbers", "value of sequence public.numbers"),
            ("EXTENSION", None, "uuid-ossp", "extension \"uuid-ossp\""),
            ("ENCODING", None, "ENCODING", "encoding"),
            ("TABLE", Some("public"), "a\nb", "table public.\"a\\nb\""),
        ] {
            assert_eq!(describer.describe(&object(kind, schema, name)), described);
        }
    }
}
