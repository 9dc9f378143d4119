//! Forms as request bodies: `application/x-www-form-urlencoded` (<https://url.spec.whatwg.org/#urlencoded-serializing>).

use url::form_urlencoded::byte_serialize;

/// Appends a field, `name=value`, to an encoded form. A space becomes `+`.
///
/// ```
/// let mut form = String::new();
/// engine::form::push_field(&mut form, "name", "J. Doe & Co");
/// engine::form::push_field(&mut form, "é", "");
/// assert_eq!(form, "name=J.+Doe+%26+Co&%C3%A9=");
/// ```
pub fn push_field(form: &mut String, name: &str, value: &str) {
    if !form.is_empty() {
        form.push('&');
    }
    form.extend(byte_serialize(name.as_bytes()));
    form.push('=');
    form.extend(byte_serialize(value.as_bytes()));
}
