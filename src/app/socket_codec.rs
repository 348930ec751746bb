//! How the screen's past packs sockets: store and screen do not know the form, and are handed it.

use crate::{
    store::SocketCodec,
    wire::pack::{PackError, pack_numbered, state_in, unpack_numbered},
};

/// The form of [`crate::wire::pack`].
pub const SOCKET_CODEC: SocketCodec = SocketCodec {
    pack: |table, numbers| told(pack_numbered(table, numbers)),
    unpack: |blob| told(unpack_numbered(blob)),
    state_in: |blob, cookie| told(state_in(blob, cookie)),
};

fn told<T>(result: Result<T, PackError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
