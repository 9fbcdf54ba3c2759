//! Prints what the bindings' types are made from: `bindings/api.json`.

fn main() {
    println!("{:#}", backproof::schema::api());
}
