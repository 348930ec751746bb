//! How the screen's past packs sockets: store and screen do not know the form, and are handed it.

use crate::{
    store::SocketCodec,
    wire::pack::{PackError, pack_numbered, state_in, unpack_numbered},
};

/// The form of [`crate::wire::pack`].
pub const SOCKET_CODEC: SocketCodec = SocketCodec {
    pack: |table, numbers| pack_numbered(table, numbers).map_err(told),
    unpack: |blob| unpack_numbered(blob).map_err(told),
    state_in: |blob, cookie| state_in(blob, cookie).map_err(told),
};

fn told(error: PackError) -> String {
    error.to_string()
}
