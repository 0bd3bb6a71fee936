//! Text from outside: what nodes and peers say must not steer a terminal or look like something else.

use serde_json::Value;

/// Whether a letter moves the cursor of a terminal or the letters around it, or is not shown at all: controls (ESC, C1),
/// marks of direction, joiners and other letters without width, tags, noncharacters.
pub fn disguises(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// A text from outside on one line, without what could disguise it: a line of its own could pass for one of the program's.
pub fn plain(text: &str) -> String {
    let breaks = |letter: char| letter.is_whitespace() && letter != '\u{85}';
    text.chars()
        .filter_map(|letter| match letter {
            letter if breaks(letter) && disguises(letter) => Some(' '),
            letter => (!disguises(letter)).then_some(letter),
        })
        .collect()
}

/// Makes every text of a JSON value [`plain`], names of fields included.
pub fn make_plain(value: &mut Value) {
    match value {
        Value::String(text) if text.chars().any(disguises) => *text = plain(text),
        Value::Array(items) => items.iter_mut().for_each(make_plain),
        Value::Object(fields) => {
            if fields.keys().any(|name| name.chars().any(disguises)) {
                *fields = std::mem::take(fields).into_iter().map(|(name, value)| (plain(&name), value)).collect();
            }
            fields.values_mut().for_each(make_plain);
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nothing_in_an_answer_steers_a_terminal() {
        let mut answer = json!({
            "agent\u{1b}[2J": "\u{1b}[31mred\u{7}", "list": ["line\nline", "left\u{202e}right", "zero\u{200b}width", "caf\u{e9}"],
        });
        make_plain(&mut answer);
        assert_eq!(
            answer,
            json!({ "agent[2J": "[31mred", "list": ["line line", "leftright", "zerowidth", "caf\u{e9}"] })
        );
    }
}
