//! A static library of one object, as GNU `ar` writes it: an index of symbols, then the object.

/// How every archive begins.
const MAGIC: &[u8] = b"!<arch>\n";
/// Bytes before each member.
const HEADER: usize = 60;
/// The most letters of a member's name beside its ending.
const NAME: usize = 13;

/// The archive of `object`, which defines the global `symbols`; the same contents give the same bytes.
pub fn archive(name: &str, object: &[u8], symbols: &[String]) -> Vec<u8> {
    let texts: Vec<u8> = symbols.iter().flat_map(|symbol| [symbol.as_bytes(), &[0]].concat()).collect();
    let index = (4 * (1 + symbols.len()) + texts.len()).next_multiple_of(2);
    let place = MAGIC.len() + HEADER + index;
    let mut archive = MAGIC.to_vec();
    header(&mut archive, "/", index);
    archive.extend((symbols.len() as u32).to_be_bytes());
    archive.extend(symbols.iter().flat_map(|_| (place as u32).to_be_bytes()));
    archive.extend(texts);
    archive.resize(place, 0);
    let name: String = name.chars().take(NAME).collect();
    header(&mut archive, &format!("{name}.o/"), object.len());
    archive.extend(object);
    if !object.len().is_multiple_of(2) {
        archive.push(b'\n');
    }
    archive
}

/// Name, time, owner, group, permissions, bytes: of nobody, at no time.
fn header(archive: &mut Vec<u8>, name: &str, bytes: usize) {
    archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{bytes:<10}`\n", 0, 0, 0, 644).into_bytes());
}

#[cfg(test)]
mod tests {
    use object::read::archive::ArchiveFile;

    use super::*;

    #[test]
    fn a_reader_finds_the_member_and_its_symbols() {
        for object in [b"even".as_slice(), b"odd"] {
            for symbols in [vec![], vec!["a_run".to_owned(), "a_create".to_owned(), "b".to_owned()]] {
                let bytes = archive("a_name_that_is_long", object, &symbols);
                let file = ArchiveFile::parse(&*bytes).unwrap();
                let member = file.members().next().unwrap().unwrap();
                assert_eq!((member.name(), member.data(&*bytes).unwrap()), (&b"a_name_that_i.o"[..], object));
                assert_eq!(file.members().count(), 1);
                let index = file.symbols().unwrap().into_iter().flatten().map(|symbol| symbol.unwrap());
                let found: Vec<String> =
                    index.map(|symbol| String::from_utf8(symbol.name().to_vec()).unwrap()).collect();
                assert_eq!(found, symbols);
                let named =
                    file.symbols().unwrap().into_iter().flatten().map(|symbol| symbol.unwrap().offset());
                for offset in named {
                    assert_eq!(file.member(offset).unwrap().data(&*bytes).unwrap(), object);
                }
            }
        }
    }
}
