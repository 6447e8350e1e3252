//! The ports of the tabs: a number for each, frames in and frames out. What a frame says is the hub's business.

use js_sys::{Array, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, MessagePort};

use super::js;
use crate::ids::PortId;

struct Port {
    id: PortId,
    port: MessagePort,
    on_message: Closure<dyn FnMut(MessageEvent)>,
}

/// The ports that are open: as many as there are tabs.
#[derive(Default)]
pub struct Ports {
    open: Vec<Port>,
    last: PortId,
}

impl Ports {
    /// Takes a port and numbers it. Frames go to `on_frame` once [`Ports::listen`] was called.
    pub fn add(&mut self, port: MessagePort, on_frame: impl Fn(PortId, Vec<u8>) + 'static) -> PortId {
        let id = self.last.next();
        self.last = id;
        let on_message = Closure::new(move |event: MessageEvent| match js::bytes(&event.data()) {
            Some(frame) => on_frame(id, frame),
            None if is_of_the_transport(&event.data()) => {}
            None => js::warn(
                "tabhub: ignored a message that is not a frame (an ArrayBuffer); is another script using the hub's port?",
            ),
        });
        self.open.push(Port { id, port, on_message });
        id
    }

    /// Begins to deliver; what waited in the port comes first.
    pub fn listen(&self, id: PortId) {
        if let Some(Port { port, on_message, .. }) = self.find(id) {
            port.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        }
    }

    pub fn contains(&self, id: PortId) -> bool {
        self.find(id).is_some()
    }

    pub fn id_of(&self, port: &MessagePort) -> Option<PortId> {
        self.open.iter().find(|p| p.port == *port).map(|p| p.id)
    }

    /// Posts one frame. A port that is no longer open takes nothing.
    pub fn send(&self, id: PortId, frame: &[u8]) {
        let Some(Port { port, .. }) = self.find(id) else { return };
        let buffer = Uint8Array::from(frame).buffer();
        // Transferred whatever its size: in Chromium that is never slower than a copy, and twice as fast from 16 KiB on.
        if let Err(thrown) = port.post_message_with_transferable(&buffer, &Array::of1(&buffer)) {
            js::warn(&format!("tabhub: a frame of {} bytes could not be posted: {}", frame.len(), js::describe(&thrown)));
        }
    }

    /// Stops listening and closes the port; what was posted before is still delivered.
    pub fn close(&mut self, id: PortId) -> Option<MessagePort> {
        let at = self.open.iter().position(|p| p.id == id)?;
        let Port { port, .. } = self.open.swap_remove(at);
        port.set_onmessage(None);
        port.close();
        Some(port)
    }

    fn find(&self, id: PortId) -> Option<&Port> {
        self.open.iter().find(|p| p.id == id)
    }
}

/// Whether the worker script has dealt with it already: `{ tabhub: 'ping' }` and the like.
fn is_of_the_transport(message: &JsValue) -> bool {
    Reflect::get(message, &"tabhub".into()).is_ok_and(|kind| kind.is_string())
}
