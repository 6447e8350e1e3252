//! A shared list written in Rust with nothing but web-sys: what one tab adds, all show, by a live query. `trial` is for the project's own
//! browser test.

mod trial;

use serde::Deserialize;
use tabhub::client::{Database, Error, OpenOptions, open};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Element, Event, HtmlInputElement};

#[derive(Deserialize)]
struct Item {
    text: String,
}

#[wasm_bindgen(start)]
async fn start() {
    if let Err(error) = run().await {
        show_error(&error);
    }
}

async fn run() -> Result<(), Error> {
    let up = "CREATE TABLE item (id INTEGER PRIMARY KEY, text TEXT NOT NULL)".to_string();
    let db = open("rust-app.db", &OpenOptions { migrations: vec![(1, up)], ..OpenOptions::default() }).await?;
    listen(&db);
    let mut items = db.live::<Item>("SELECT text FROM item ORDER BY id DESC LIMIT 100", ())?;
    while let Some(rows) = items.next().await {
        render(&rows?);
    }
    Ok(())
}

/// The form adds an item; the live query shows it, here and in every other tab.
fn listen(db: &Database) {
    let db = db.clone();
    let on_submit = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        event.prevent_default();
        let input: HtmlInputElement = element("text").unchecked_into();
        let (db, text) = (db.clone(), input.value());
        input.set_value("");
        spawn_local(async move {
            if let Err(error) = db.run("INSERT INTO item (text) VALUES (?)", (text,)).await {
                show_error(&error);
            }
        });
    });
    // The form lives as long as the page, and so does this.
    element("add")
        .add_event_listener_with_callback("submit", on_submit.into_js_value().unchecked_ref())
        .expect("a form takes listeners");
}

fn render(items: &[Item]) {
    let list = element("items");
    list.set_inner_html("");
    for Item { text } in items {
        let line = document().create_element("li").expect("li is an element");
        line.set_text_content(Some(text));
        list.append_child(&line).expect("a list takes lines");
    }
}

fn show_error(error: &Error) {
    let notice = element("notice");
    notice.set_text_content(Some(&error.to_string()));
    notice.remove_attribute("hidden").expect("an attribute of ours");
}

fn document() -> Document {
    web_sys::window().and_then(|window| window.document()).expect("this runs in a page")
}

fn element(id: &str) -> Element {
    document().get_element_by_id(id).expect("index.html has it")
}
