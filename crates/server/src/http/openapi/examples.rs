//! Puts examples of lists and maps where they belong: the derive writes them at the items, of which they
//! are no examples.

use utoipa::openapi::schema::{AdditionalProperties, ArrayItems};
use utoipa::openapi::{Components, RefOr, Schema};

/// Puts right all examples of the components.
pub fn put_right(components: &mut Components) {
    for schema in components.schemas.values_mut() {
        put_right_within(schema);
    }
}

fn put_right_within(schema: &mut RefOr<Schema>) {
    let RefOr::T(schema) = schema else { return };
    match schema {
        Schema::Array(list) => {
            if let ArrayItems::RefOrSchema(items) = &mut list.items {
                put_right_within(items);
                if let RefOr::T(Schema::Object(item)) = items.as_mut() {
                    list.examples.append(&mut item.examples);
                }
            }
        }
        Schema::Object(object) => {
            object.properties.values_mut().for_each(put_right_within);
            if let Some(Schema::Object(name)) = object.property_names.as_deref_mut() {
                name.examples.clear();
            }
            let values = object.additional_properties.as_deref_mut();
            if let Some(AdditionalProperties::RefOr(RefOr::T(Schema::Object(value)))) = values {
                object.examples.append(&mut value.examples);
            }
        }
        Schema::OneOf(choices) => choices.items.iter_mut().for_each(put_right_within),
        Schema::AllOf(parts) => parts.items.iter_mut().for_each(put_right_within),
        _ => {}
    }
}
